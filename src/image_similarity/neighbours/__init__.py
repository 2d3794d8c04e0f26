"""Nearest vectors. Derived from the features; may be thrown away at any time."""
