"""Evaluation: queries with known answers, ranks, metrics and their intervals."""
