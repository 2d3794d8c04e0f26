"""Pixels to unit vectors: what a model's name means, and the networks behind it. The only room that knows networks."""
