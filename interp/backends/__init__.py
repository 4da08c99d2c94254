"""Engines: one module each, found by name; nothing above this room knows which one runs."""
