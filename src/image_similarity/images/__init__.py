"""Bytes to upright RGB pixels, pixels to views; or a reason why not."""
