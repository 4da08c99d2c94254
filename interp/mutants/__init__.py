"""Known bugs of interpretability code, planted one at a time to see which spec catches each."""
