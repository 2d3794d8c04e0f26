"""How good the answers are, and how the catalogue itself makes them better."""
