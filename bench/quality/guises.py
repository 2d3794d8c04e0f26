"""What a query sees of a photo: all of it, or one of the parts that ``search --crops`` adds."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from image_similarity.images.crops import with_crops

WHOLE = "as it is"
CROPS = ("middle", "upper left", "upper right", "lower left", "lower right")
GUISES: dict[str, Callable[[Image.Image], Image.Image]] = {
    name: (lambda picture, at=at: with_crops(picture)[at]) for at, name in enumerate((WHOLE, *CROPS))
}
