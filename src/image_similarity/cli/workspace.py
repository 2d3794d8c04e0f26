"""Opens the workspace of a command and parses its headers and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.cli.progress import Bars
    from image_similarity.options import Headers
    from image_similarity.workspace import Workspace


def open_workspace(root: Path, bars: Bars | None = None, **settings: object) -> Workspace:
    """The workspace in a folder, with the environment's settings; ``settings`` override them."""
    from image_similarity.cli.terminal import show_note
    from image_similarity.settings import Settings
    from image_similarity.types import no_progress
    from image_similarity.workspace import Workspace

    return Workspace(
        settings=Settings.from_environment(None, root=root, **settings), progress=bars or no_progress, notes=show_note
    )


def headers_of(texts: list[str] | None) -> Headers:
    """Parse HTTP headers as typed: ``Name: value``, or ``host: Name: value``."""
    if not texts:
        return {}
    from image_similarity.images import parse_headers

    return parse_headers(texts)


def columns_of(texts: list[str] | None, file: Path | None) -> dict[str, str | list[str]]:
    """The column mapping of a file, overridden by the command line's."""
    from image_similarity.catalogue import parse_column_names, read_column_names

    named: dict[str, str | list[str]] = read_column_names(file) if file is not None else {}
    return named | parse_column_names(texts or [])
