"""``standard``: the default model, a mixture of models that come with the package. Its versions never change.

How it was chosen: docs/notes/quality.md. A better mixture gets the next number; datasets that are fitted keep theirs.
"""

from __future__ import annotations

from image_similarity.models.mixture import ADAPTED

STANDARD = "standard"
RECIPES = {"standard-1": "EfficientNet-Lite2+EfficientNet-Lite0+0.4*colour"}
"""The mixture of each version."""
LATEST = "standard-1"
STANDARD_MIXTURE = RECIPES[LATEST]


def standard_parts() -> list[str]:
    """The networks of the latest version, by name."""
    return [term for term in STANDARD_MIXTURE.split("+") if "*" not in term]


def recipe_of(name: str) -> tuple[str, str]:
    """The version that a model's name begins with, and the name with its mixture in place of it.

    The version is empty for other models, and where others follow: a mixture of ``standard`` and others is none of its
    versions.

    >>> recipe_of("standard+adapted")
    ('standard-1', 'EfficientNet-Lite2+EfficientNet-Lite0+0.4*colour+adapted')
    >>> recipe_of("colour+adapted")
    ('', 'colour+adapted')
    """
    first, plus, rest = name.strip().partition("+")
    version = LATEST if first == STANDARD else first
    if version not in RECIPES:
        return "", name
    return version if rest in ("", ADAPTED) else "", RECIPES[version] + plus + rest
