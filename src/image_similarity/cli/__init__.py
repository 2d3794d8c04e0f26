"""The command line: parse the arguments, call the library, print the results."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        from image_similarity.cli.exits import exit_code_of  # here, as first_version.py imports this package too

        sys.exit(exit_code_of(_run))
    except KeyboardInterrupt:  # before the command has begun, or a second Ctrl-C
        sys.exit(130)


def _run() -> int:
    from image_similarity.cli.app import run

    return run(sys.argv[1:])
