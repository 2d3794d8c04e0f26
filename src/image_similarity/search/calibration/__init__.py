"""Calibration: from scores to the probability that a match is the same product; uses numpy only."""
