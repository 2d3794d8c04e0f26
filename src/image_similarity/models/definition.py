"""What a model's name stands for: its record, and the way to load it. Each kind of model makes one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from image_similarity.models.graph import Graph
    from image_similarity.types import EmbeddingModel, ModelSpec, Progress


@dataclass(frozen=True, slots=True)
class Definition:
    """A model before anybody has decided how finely it computes.

    Attributes:
        spec: its record; that of a network is at fp32.
        load: gives the file of a network, verified, and downloaded and built where it must be; or a model that is code.
    """

    spec: ModelSpec
    load: Callable[[Progress], Graph | EmbeddingModel]
