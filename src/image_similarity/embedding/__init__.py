"""Pixels to unit vectors. Batching, precision and queues live in this room and nowhere else."""
