"""Exact nearest rows of every row of a matrix."""
