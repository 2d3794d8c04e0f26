"""A resolved model: its parts, their shares of the similarity, and the projection that was learned for them.

numpy and the networks are imported where they are used: looking a product up needs the key only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, cast

from image_similarity.errors import NotFittedError
from image_similarity.models.mixture import ADAPTED_SUFFIX, key_of
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
    from image_similarity.options import ModelChoice, Precision
    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, ModelSpec

Inputs: TypeAlias = "tuple[NDArray[np.uint8], ...]"
"""One image, once for each part in its input size: ``(size, size, 3)``."""


@dataclass(frozen=True, slots=True)
class ModelPart:
    """One of the models of a mixture, or the only model.

    Attributes:
        definition: its definition, at fp32.
        spec: its record, at its precision.
        weight: its share of the similarity; the shares of all parts need not add up to one.
        int8: the folder of its int8 network; None at other precisions.
    """

    definition: Definition
    spec: ModelSpec
    weight: float = 1.0
    int8: Path | None = None

    @property
    def is_network(self) -> bool:
        """Whether it is a network, which has a precision; other models are code."""
        return bool(self.definition.spec.precision)

    def graph(self, progress: Progress = no_progress) -> Graph:
        """The network's verified file at fp32; downloaded and built if needed.

        Raises:
            WeightsError, ModelError: it cannot be downloaded, verified or built.
        """
        return cast("Graph", self.definition.load(progress))

    def load(self, settings: Settings, progress: Progress = no_progress, *, single: bool = False) -> EmbeddingModel:
        """Load it, ready to embed. ``single``: for one image at a time, with low latency; caches the compiled network.

        Raises:
            WeightsError: its weights cannot be downloaded, or are not the ones that its record names.
            ModelError: it cannot be built or compiled.
        """
        if not self.is_network:
            return cast("EmbeddingModel", self.definition.load(progress))
        from image_similarity.models.device import gpu_model
        from image_similarity.models.openvino_network import OpenVinoModel

        if self.int8 is None:
            graph = self.graph(progress)
            on_gpu = gpu_model(self.spec, graph, settings, single=single)
            if on_gpu is not None:
                return on_gpu
        else:
            from image_similarity.models.int8 import quantised_graph

            graph = quantised_graph(self.int8)
        return OpenVinoModel(self.spec, graph, Folders(settings.root).models if single else None)


@dataclass(frozen=True)
class Model:
    """A model or a mixture, resolved once by :func:`~image_similarity.models.resolver.resolve`.

    Attributes:
        choice: the user's choice.
        parts: one model, or several of a mixture.
        learned: the folder of the learned projection to apply; None for none.
        adapted: whether the choice includes a learned projection.
    """

    choice: ModelChoice
    parts: tuple[ModelPart, ...]
    learned: Path | None = None
    adapted: bool = False

    @property
    def name(self) -> str:
        """Its name in the user's choice."""
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
        """The key of the parts' joined vectors, without a projection."""
        return key_of([spec.key for spec in self.specs], self.weights)

    @cached_property
    def key(self) -> str:
        """The key of the index and the recommendations.

        Raises:
            NotFittedError: nothing has been learned yet.
            StoreError: the projection's record is damaged.
        """
        if self.learned is None:
            return self.base_key
        if "projection" in self.__dict__:
            return self.recipe.key
        from image_similarity.models.projection import projection_digest

        return key_of([spec.key for spec in self.specs], self.weights, projection_digest(self.learned))

    @cached_property
    def projection(self) -> Projection | None:
        """The learned projection, read at first use; None for none.

        Raises:
            NotFittedError, StoreError: as :attr:`key`.
        """
        if self.learned is None:
            return None
        from image_similarity.models.projection import read_projection

        return read_projection(self.learned)

    @cached_property
    def recipe(self) -> Recipe:
        """How to compute an index's vectors from the parts'.

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
        """The same model without a learned projection."""
        name = self.name.rpartition("+")[0].rstrip() if self.adapted else self.name
        return replace(self, choice=replace(self.choice, name=name), learned=None, adapted=False)

    def with_projection(self, folder: Path) -> Model:
        """The same model with the projection that was learned into a folder."""
        name = self.name if self.adapted else self.name + ADAPTED_SUFFIX
        return replace(self, choice=replace(self.choice, name=name), learned=folder, adapted=True)

    @property
    def precision(self) -> Precision:
        """The precision of its networks, the same for all; ``auto`` if it has none."""
        return next((cast("Precision", part.spec.precision) for part in self.parts if part.is_network), "auto")

    @property
    def fitted_choice(self) -> ModelChoice:
        """The choice of this very model: at the precision that it has, whatever else the dataset is fitted with."""
        return replace(self.choice, precision=self.precision)

    @property
    def has_networks(self) -> bool:
        """Whether any part is a network."""
        return any(part.is_network for part in self.parts)

    @cached_property
    def min_side(self) -> int | None:
        """The shorter side, in pixels, at which an image may be decoded; None for full size only."""
        from image_similarity.images import min_side

        sides = [min_side(spec.input) for spec in self.specs]
        known = [side for side in sides if side is not None]
        return max(known) if len(known) == len(sides) else None

    def inputs(self, image: Image.Image) -> Inputs:
        """The input of :meth:`Embedder.embed` for one upright RGB image."""
        from image_similarity.images import squares

        made = squares(image, [spec.input for spec in self.specs])
        return tuple(made[spec.input] for spec in self.specs)

    def load(self, settings: Settings, progress: Progress = no_progress, *, single: bool = False) -> Embedder:
        """Load all parts. ``single``: for one image at a time, with low latency.

        Raises:
            WeightsError, ModelError: a part cannot be loaded.
        """
        return Embedder([part.load(settings, progress, single=single) for part in self.parts], self.recipe)

    def at(self, precision: str, int8_folders: Sequence[Path | None] = ()) -> Model:
        """The same model with its networks at a precision.

        Args:
            precision: ``fp32``, ``bf16`` or ``int8``.
            int8_folders: for int8, the folder of each part; None where a part is no network.

        Raises:
            NotFittedError: a part has no int8 network.
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
    """The loaded parts of a model: from images to vectors of the index's space."""

    def __init__(self, models: Sequence[EmbeddingModel], recipe: Recipe) -> None:
        self._models, self._recipe = models, recipe

    @property
    def models(self) -> Mapping[str, EmbeddingModel]:
        """The parts, by the keys of their features."""
        return {model.spec.key: model for model in self._models}

    def with_recipe(self, recipe: Recipe) -> Embedder:
        """The same networks, for vectors of another space."""
        return Embedder(self._models, recipe)

    def embed(self, images: Sequence[Inputs]) -> list[NDArray[np.float32] | ImageError]:
        """For each image its unit vector ``(dimension,)``, or the error why there is none."""
        from image_similarity.models.unit_vectors import embed_each

        return embed_each(self._together, images)

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
