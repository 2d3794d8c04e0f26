"""Queries with known answers, ranks, measures and their intervals."""
