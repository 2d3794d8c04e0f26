"""The command line: parse, call a job, print. Nothing is decided here."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from image_similarity.cli.app import main as run  # here: the first version's command line borrows this room's bars

    run()
