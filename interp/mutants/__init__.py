"""Known bugs of interpretability code, planted one at a time to see which spec catches each.

A new one is a few lines in the room it belongs to; one that survives is a spec that is missing:

    Mutant(
        "alpha-squared",
        "vLLM-Hook #12",
        dosed(lambda write: write.alpha**2),
    )
"""
