"""Visual product similarity for shops: similar products for each product, and products for a photo.

>>> from image_similarity import Workspace
>>> workspace = Workspace("data")
>>> report = workspace.fit("shop", "photos", model="colour-shape")
>>> answer = workspace.search("shop", "photo.jpg", model="colour-shape")
>>> len(answer.matches)
10
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.collection import Collection
    from image_similarity.errors import ImageSimilarityError
    from image_similarity.options import (
        Box,
        CalibrateOptions,
        CompareOptions,
        DownloadOptions,
        EvaluateOptions,
        ExtractOptions,
        FitOptions,
        ModelChoice,
        Query,
        SearchOptions,
        SimilarOptions,
    )
    from image_similarity.search import Answer
    from image_similarity.settings import Settings
    from image_similarity.types import Product
    from image_similarity.workspace import Workspace

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Box",
    "CalibrateOptions",
    "Collection",
    "CompareOptions",
    "DownloadOptions",
    "EvaluateOptions",
    "ExtractOptions",
    "FitOptions",
    "ImageSimilarityError",
    "ModelChoice",
    "Product",
    "Query",
    "SearchOptions",
    "Settings",
    "SimilarOptions",
    "Workspace",
    "__version__",
]

_HOMES = {
    "Answer": "search.answer",
    "Collection": "collection",
    "ImageSimilarityError": "errors",
    "Product": "types",
    "Settings": "settings",
    "Workspace": "workspace",
}


def __getattr__(name: str) -> object:
    # Each name is imported on first use, so that importing the package is fast.
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'options')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
