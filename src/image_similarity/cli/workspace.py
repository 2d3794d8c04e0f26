"""The workspace that a command works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.cli.progress import Bars
    from image_similarity.options import Headers
    from image_similarity.workspace import Workspace


def opened(root: Path, bars: Bars | None = None, **settings: object) -> Workspace:
    """The workspace of a folder, with the settings of the environment; ``settings`` go before those."""
    from image_similarity.cli.terminal import note
    from image_similarity.settings import Settings
    from image_similarity.types import no_progress
    from image_similarity.workspace import Workspace

    return Workspace(
        settings=Settings.from_environment(None, root=root, **settings), progress=bars or no_progress, notes=note
    )


def headers_of(texts: list[str] | None) -> Headers:
    """HTTP headers as they are typed."""
    if not texts:
        return {}
    from image_similarity.images import parse_headers

    return parse_headers(texts)


def columns_of(texts: list[str] | None, file: Path | None) -> dict[str, str | list[str]]:
    """Which column is which: of a file, then as said on the command line."""
    from image_similarity.catalogue import parse_column_names, read_column_names

    named: dict[str, str | list[str]] = read_column_names(file) if file is not None else {}
    return named | parse_column_names(texts or [])
