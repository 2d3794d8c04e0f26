"""``standard``: the default model, a mixture of models that come with the package. Its versions never change.

How it was chosen: docs/notes/quality.md. A better mixture gets the next number; datasets that are fitted keep theirs.
"""

from __future__ import annotations

STANDARD = "standard"
RECIPES = {"standard-1": "EfficientNet-Lite2+EfficientNet-Lite0+0.4*colour"}
"""The mixture of each version."""
LATEST = "standard-1"


def standard_parts() -> list[str]:
    """The networks of the latest version, by name."""
    return [term for term in RECIPES[LATEST].split("+") if "*" not in term]


def recipe_of(name: str) -> str:
    """The version that a model's name begins with; empty if it is another model: ``standard+adapted``, ``standard-1``.

    >>> recipe_of("standard+adapted"), recipe_of("colour")
    ('standard-1', '')
    """
    base = name.partition("+")[0].strip()
    return LATEST if base == STANDARD else base if base in RECIPES else ""
