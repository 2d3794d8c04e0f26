"""Calibration: match probabilities, learned from queries with known answers."""
