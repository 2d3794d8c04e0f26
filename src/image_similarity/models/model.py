"""A model as everything else takes it: its parts, their shares of the similarity, and what was learned for them.

numpy and the networks are imported where they are used: to look a product up takes the key only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, cast

from image_similarity.errors import NotFittedError
from image_similarity.models.mixture import key_of
from image_similarity.settings import Folders
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from image_similarity.errors import ImageError
    from image_similarity.models.definition import Definition
    from image_similarity.models.graph import Graph
    from image_similarity.models.projection import Projection
    from image_similarity.models.recipe import Recipe
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, ModelSpec

Inputs: TypeAlias = "tuple[NDArray[np.uint8], ...]"
"""One image as each part takes it, ``(size, size, 3)``."""


@dataclass(frozen=True, slots=True)
class ModelPart:
    """One of the models that stand side by side.

    Attributes:
        definition: what its name stands for, at fp32.
        spec: its record in the precision that it computes in.
        weight: its share of the similarity; the shares of all parts need not add up to one.
        int8: the folder of its int8 network; None unless it computes in int8.
    """

    definition: Definition
    spec: ModelSpec
    weight: float = 1.0
    int8: Path | None = None

    @property
    def is_network(self) -> bool:
        """Whether it computes in a precision at all; other models are code."""
        return bool(self.definition.spec.precision)

    def graph(self, progress: Progress = no_progress) -> Graph:
        """The network's file at fp32, verified; downloaded and built where it must be.

        Raises:
            WeightsError, ModelError: it cannot be had.
        """
        return cast("Graph", self.definition.load(progress))

    def load(self, settings: Settings, progress: Progress = no_progress, *, one: bool = False) -> EmbeddingModel:
        """Ready to embed. ``one``: a single image, soon; a network is then kept compiled in the workspace.

        Raises:
            WeightsError: its weights cannot be had or are not the ones its record names.
            ModelError: it cannot be built or compiled.
        """
        if not self.is_network:
            return cast("EmbeddingModel", self.definition.load(progress))
        from image_similarity.models.openvino_network import OpenVinoModel

        if self.int8 is None:
            graph = self.graph(progress)
        else:
            from image_similarity.models.int8 import quantised_graph

            graph = quantised_graph(self.int8)
        return OpenVinoModel(self.spec, graph, Folders(settings.root).models if one else None)


@dataclass(frozen=True)
class Model:
    """What a model's name means, found out once. Make it with :func:`~image_similarity.models.resolver.resolve`.

    Attributes:
        choice: as it was asked for.
        parts: one model, or several side by side.
        learned: the folder of the projection that was learned for them; None for none, or none yet.
        adapted: whether what was learned for them is asked for.
    """

    choice: ModelChoice
    parts: tuple[ModelPart, ...]
    learned: Path | None = None
    adapted: bool = False

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self.choice.name

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """The parts' records."""
        return tuple(part.spec for part in self.parts)

    @property
    def weights(self) -> tuple[float, ...]:
        """The parts' shares of the similarity."""
        return tuple(part.weight for part in self.parts)

    @property
    def base_key(self) -> str:
        """Names what the parts give together, before any projection."""
        return key_of([spec.key for spec in self.specs], self.weights)

    @cached_property
    def key(self) -> str:
        """Names the index and the recommendations.

        Raises:
            NotFittedError: a projection is asked for, and nothing has been learned yet.
            StoreError: its record is damaged.
        """
        if self.learned is None:
            return self.base_key
        if "projection" in self.__dict__:
            return self.recipe.key
        from image_similarity.models.projection import projection_digest

        return key_of([spec.key for spec in self.specs], self.weights, projection_digest(self.learned))

    @cached_property
    def projection(self) -> Projection | None:
        """What was learned, read when it is first needed.

        Raises:
            NotFittedError, StoreError: as :attr:`key`.
        """
        if self.learned is None:
            return None
        from image_similarity.models.projection import read_projection

        return read_projection(self.learned)

    @cached_property
    def recipe(self) -> Recipe:
        """How an index's vectors are made of the parts'.

        Raises:
            NotFittedError, StoreError: as :attr:`key`.
        """
        from image_similarity.models.recipe import Recipe

        keys, projection = tuple(spec.key for spec in self.specs), self.projection
        return Recipe(
            key_of(keys, self.weights, projection.digest if projection else ""), keys, self.weights, projection
        )

    @property
    def plain(self) -> Model:
        """The same without what was learned."""
        return replace(self, learned=None)

    @property
    def has_networks(self) -> bool:
        """Whether a network is among the parts."""
        return any(part.is_network for part in self.parts)

    @cached_property
    def min_side(self) -> int | None:
        """The side that a decoded image must keep, in pixels; None where every pixel counts."""
        from image_similarity.images import min_side

        sides = [min_side(spec.input) for spec in self.specs]
        known = [side for side in sides if side is not None]
        return max(known) if len(known) == len(sides) else None

    def inputs(self, image: Image.Image) -> Inputs:
        """What :meth:`Embedder.embed` takes of one upright RGB image."""
        from image_similarity.images import square

        return tuple(square(image, spec.input) for spec in self.specs)

    def load(self, settings: Settings, progress: Progress = no_progress, *, one: bool = False) -> Embedder:
        """What embeds images as the index has them. ``one``: a single image, soon.

        Raises:
            WeightsError, ModelError: a part cannot be had.
        """
        return Embedder([part.load(settings, progress, one=one) for part in self.parts], self.recipe)

    def at(self, precision: str, int8_folders: Sequence[Path | None] = ()) -> Model:
        """The same with its networks in a precision.

        Args:
            precision: ``fp32``, ``bf16`` or ``int8``.
            int8_folders: for int8, of each part; None where a part has no int8 network.

        Raises:
            NotFittedError: int8, and a part has no int8 network.
            ModelError: the record of an int8 network cannot be read.
        """
        folders = int8_folders or [None] * len(self.parts)
        return replace(
            self,
            parts=tuple(
                _at(part, precision, folder) if part.is_network else part
                for part, folder in zip(self.parts, folders, strict=True)
            ),
        )


class Embedder:
    """From images, as the parts of a model take them, to vectors of the space that an index has."""

    def __init__(self, models: Sequence[EmbeddingModel], recipe: Recipe) -> None:
        self._models, self._recipe = models, recipe

    @property
    def models(self) -> Mapping[str, EmbeddingModel]:
        """The parts, by the keys of their features."""
        return {model.spec.key: model for model in self._models}

    def embed(self, images: Sequence[Inputs]) -> list[NDArray[np.float32] | ImageError]:
        """For each image its unit vector ``(dimension,)``, or why there is none."""
        from image_similarity.models.unit_vectors import each_row

        return each_row(self._together, images)

    def _together(self, images: Sequence[Inputs]) -> NDArray[np.float32]:
        import numpy as np

        sizes = zip(self._models, zip(*images, strict=True), strict=True)
        return self._recipe.vectors([model.embed(np.stack(inputs)) for model, inputs in sizes]).astype(np.float32)


def _at(part: ModelPart, precision: str, int8: Path | None) -> ModelPart:
    from image_similarity.models.precision import at_precision

    if precision != "int8":
        return replace(part, spec=at_precision(part.definition.spec, precision), int8=None)
    if int8 is None or not int8.is_dir():
        raise NotFittedError(
            f"{part.spec.name} has no int8 network for this dataset: run fit with `precision` int8 first"
        )
    from image_similarity.models.int8 import digest_of

    return replace(part, spec=at_precision(part.definition.spec, "int8", digest_of(int8)), int8=int8)
