"""The definition of a model: its record, and a function that loads it. Each kind of model has its own function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from image_similarity.models.graph import Graph
    from image_similarity.models.hub_records import TextSpec
    from image_similarity.types import EmbeddingModel, ModelSpec, Progress


@dataclass(frozen=True, slots=True)
class Definition:
    """A model before its precision is chosen.

    Attributes:
        spec: its record; a network's is at fp32.
        load: returns a network's verified file, downloaded and built if needed, or a model that is code.
        text: its text encoder; None for none.
    """

    spec: ModelSpec
    load: Callable[[Progress], Graph | EmbeddingModel]
    text: TextSpec | None = None
