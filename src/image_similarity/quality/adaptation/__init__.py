"""Adaptation: a linear projection of a model's vectors, learned from products with several images; numpy only."""
