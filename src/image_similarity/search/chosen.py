"""A model, or several side by side, as the jobs use it: its features, a dataset's index, the way from a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError
from image_similarity.models.mixture import key_of
from image_similarity.models.precision import key_at
from image_similarity.models.precision_choice import for_fit, for_question
from image_similarity.models.table import base_spec, expression_of, load_model, model_spec, parts_of
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from image_similarity.dataset import Dataset
    from image_similarity.errors import ImageError
    from image_similarity.index.stored_index import StoredIndex
    from image_similarity.models.choice import ModelChoice
    from image_similarity.models.recipe import Recipe
    from image_similarity.settings import Settings
    from image_similarity.store.database import Database
    from image_similarity.types import EmbeddingModel, ModelSpec

    Squares = tuple[NDArray[np.uint8], ...]

ONE_VIEW = ("000",)  # as images.views has it, which imports numpy
FLOATING = ("fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that a dataset can be asked with. Make it with :func:`chosen`.

    Attributes:
        name: as it was asked for.
        parts: a choice for each model of the expression, its precision decided.
        specs: their records.
        weights: their shares of the similarity; they need not add up to one.
        learned: the folder of the projection to use; None for none.
    """

    name: str
    parts: tuple[ModelChoice, ...]
    specs: tuple[ModelSpec, ...]
    weights: tuple[float, ...]
    learned: Path | None = None

    @property
    def base_key(self) -> str:
        """Names what the models give together, before any projection."""
        return key_of([spec.key for spec in self.specs], self.weights)

    @property
    def key(self) -> str:
        """Names the index and the dictionary.

        Raises:
            NotFittedError: a projection is asked for, and nothing has been learned yet.
            StoreError: its record is damaged.
        """
        if self.learned is None:
            return self.base_key
        from image_similarity.models.projection import projection_digest

        return key_of([spec.key for spec in self.specs], self.weights, projection_digest(self.learned))

    @property
    def at_least(self) -> int | None:
        """The side that a decoded picture must keep; None where every pixel counts."""
        from image_similarity.images.views import at_least

        sides = [at_least(spec.input) for spec in self.specs]
        known = [side for side in sides if side is not None]
        return max(known) if len(known) == len(sides) else None

    def squares(self, picture: Image.Image) -> Squares:
        """What :meth:`Embedder.embed` takes of one upright RGB picture."""
        from image_similarity.images.views import square

        return tuple(square(picture, spec.input) for spec in self.specs)

    def is_stored(self, database: Database) -> bool:
        """Whether the store knows features of all of its models."""
        from image_similarity.store.features import FeatureStore

        return {spec.key for spec in self.specs} <= set(FeatureStore(database).models())

    def recipe(self) -> Recipe:
        """How the index's vectors are made of the models'.

        Raises:
            NotFittedError, StoreError: as :attr:`key`.
        """
        from image_similarity.models.recipe import Recipe

        keys = tuple(spec.key for spec in self.specs)
        if self.learned is None:
            return Recipe(self.key, keys, self.weights)
        from image_similarity.models.projection import read_projection

        projection = read_projection(self.learned)
        return Recipe(key_of(keys, self.weights, projection.digest), keys, self.weights, projection)

    def index(
        self,
        database: Database,
        settings: Settings,
        views: Sequence[str] = ONE_VIEW,
        progress: Progress = no_progress,
    ) -> StoredIndex:
        """The dataset's index under this model, brought up to date where it is not.

        Raises:
            NotFittedError: the dataset has no features of it, or nothing has been learned for it.
        """
        from image_similarity.index.build import fresh_index
        from image_similarity.settings import Folders

        return fresh_index(database, Folders(settings.root).index, self.recipe(), views, progress=progress)

    def load(self, settings: Settings, progress: Progress = no_progress, *, one: bool = False) -> Embedder:
        """What embeds pictures as the index has them. ``one``: for a single picture, soon.

        Raises:
            WeightsError, ModelError: a model cannot be had.
        """
        return Embedder([load_model(part, settings, progress, one) for part in self.parts], self.recipe())


class Embedder:
    """From squares to vectors of the space that an index has."""

    def __init__(self, models: Sequence[EmbeddingModel], recipe: Recipe) -> None:
        self._models, self._recipe = models, recipe

    @property
    def models(self) -> Mapping[str, EmbeddingModel]:
        """The models of the expression, by their keys."""
        return {model.spec.key: model for model in self._models}

    def each(self, pictures: Sequence[Squares]) -> list[NDArray[np.float32] | ImageError]:
        """For each picture its unit vector ``(dimension,)``, or why there is none."""
        from image_similarity.models.unit_vectors import each_row

        return each_row(self._together, pictures)

    def _together(self, pictures: Sequence[Squares]) -> NDArray[np.float32]:
        import numpy as np

        sizes = zip(self._models, zip(*pictures, strict=True), strict=True)
        return self._recipe.vectors([model.embed(np.stack(squares)) for model, squares in sizes]).astype(np.float32)


def chosen(model: ModelChoice, database: Database, dataset: Dataset, settings: Settings) -> Chosen:
    """What a model's name means in a fitted dataset.

    Raises:
        UsageError: there is no such model.
        ModelError: its description cannot be read.
    """
    from image_similarity.store.features import FeatureStore

    return _chosen(model, dataset, settings, for_question, FeatureStore(database).has)


def chosen_for_fit(model: ModelChoice, database: Database, dataset: Dataset, settings: Settings) -> Chosen:
    """What a model's name means in a dataset that is being fitted; raises as :func:`chosen`."""
    from image_similarity.store.features import FeatureStore

    return _chosen(model, dataset, settings, for_fit, FeatureStore(database).has)


def chosen_by_dictionary(
    model: ModelChoice, dataset: Dataset, settings: Settings, is_there: Callable[[str], bool]
) -> Chosen:
    """What a model's name means where only dictionaries are looked at; ``is_there`` tells of a key's.

    Raises:
        UsageError, ModelError: as :func:`chosen`.
    """
    plain = _chosen(model, dataset, settings, for_question, lambda _: False)

    def whole(part_key: str) -> bool:
        """Whether there is a dictionary with the networks in the precision of this key."""
        return is_there(replace(plain, specs=tuple(_beside(plain, part_key))).key)

    return _chosen(model, dataset, settings, for_question, whole)


def _beside(model: Chosen, part_key: str) -> list[ModelSpec]:
    """The records of a model's parts with the networks in the precision that one of their keys has."""
    bases = [base_spec(part) for part in model.parts]
    for precision in FLOATING:
        if any(base.precision and key_at(base.key, precision) == part_key for base in bases):
            return [
                model_spec(replace(part, precision=precision) if base.precision else part)  # type: ignore[arg-type]
                for part, base in zip(model.parts, bases, strict=True)
            ]
    return [replace(base, key=part_key) for base in bases]  # int8, of a model that stands alone


def _chosen(
    model: ModelChoice,
    dataset: Dataset,
    settings: Settings,
    decide: Callable[..., ModelChoice],
    has: Callable[[str], bool],
) -> Chosen:
    model = model.within(settings)
    expression = expression_of(model)
    parts = _decided(parts_of(model), dataset, settings, decide, has)
    specs = tuple(model_spec(part) for part in parts)
    weights = tuple(part.weight for part in expression.parts)
    result = Chosen(model.name, parts, specs, weights)
    if not expression.adapted:
        return result
    return replace(result, learned=projection_folder(settings, dataset, result.base_key))


def projection_folder(settings: Settings, dataset: Dataset, base_key: str) -> Path:
    """Where what a dataset taught a model is kept, by the key of the model."""
    return settings.root / "adapted" / dataset.label / base_key


def _decided(
    parts: tuple[ModelChoice, ...],
    dataset: Dataset,
    settings: Settings,
    decide: Callable[..., ModelChoice],
    has: Callable[[str], bool],
) -> tuple[ModelChoice, ...]:
    """The parts with their precisions. ``auto`` is one precision for all networks: what all of them have."""
    networks = [part for part in parts if base_spec(part).precision]
    if not networks or len(parts) == 1 or networks[0].precision != "auto":
        return tuple(decide(part, dataset, settings, has) for part in parts)
    keys = [base_spec(part).key for part in networks]

    def all_have(leader: str) -> bool:
        for precision in FLOATING:
            if leader == key_at(keys[0], precision):
                return all(has(key_at(key, precision)) for key in keys)
        return False

    precision = decide(networks[0], dataset, settings, all_have).precision
    if precision == "int8":  # of the first alone; the others have none
        raise NotFittedError("a mixture is asked in int8 only where `precision` int8 says so")
    return tuple(replace(part, precision=precision) if part in networks else part for part in parts)
