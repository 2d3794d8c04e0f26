"""Visual product similarity for shops: similar products for each product, and products for a photo.

>>> from image_similarity import Workspace
>>> workspace = Workspace("data")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.errors import ImageSimilarityError
    from image_similarity.options import ModelChoice
    from image_similarity.search import Answer
    from image_similarity.settings import Settings
    from image_similarity.workspace import Workspace

__version__ = "0.1.0"
__all__ = ["Answer", "ImageSimilarityError", "ModelChoice", "Settings", "Workspace", "__version__"]

_HOMES = {
    "Workspace": "workspace",
    "Settings": "settings",
    "Answer": "search.answer",
    "ModelChoice": "options",
    "ImageSimilarityError": "errors",
}


def __getattr__(name: str) -> object:
    # Loaded when first used: importing the package costs nothing.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
