"""The command line: parse, call a job, print. Nothing is decided here."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        from image_similarity.cli.exits import ended  # here: the first version's command line borrows this room's bars

        sys.exit(ended(_run))
    except KeyboardInterrupt:  # so early that nothing has begun, or a second time
        sys.exit(130)


def _run() -> int:
    from image_similarity.cli.app import run

    return run(sys.argv[1:])
