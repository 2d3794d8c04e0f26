"""The command line: parse, call a job, print. Nothing is decided here."""

from image_similarity.cli.app import main

__all__ = ["main"]
