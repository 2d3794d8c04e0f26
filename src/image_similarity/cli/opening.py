"""The workspace that a command works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.cli.progress import Bars
    from image_similarity.workspace import Workspace


def opened(root: Path, bars: Bars | None = None, **settings: object) -> Workspace:
    """The workspace of a folder, with the settings of the environment; ``settings`` go before those."""
    from image_similarity.settings import Settings
    from image_similarity.types import no_progress
    from image_similarity.workspace import Workspace

    return Workspace(settings=Settings.from_environment(None, root=root, **settings), progress=bars or no_progress)
