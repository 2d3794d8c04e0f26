"""Choose the best of the models at hand for a catalogue: measured on a sample of it, each with what it would learn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.catalogue import CatalogueSnapshot
from image_similarity.errors import AdaptationError
from image_similarity.fitting import embed_catalogue, fitting_database, sample_catalogue
from image_similarity.index import open_index
from image_similarity.models import (
    PULLED,
    STANDARD,
    STANDARD_MIXTURE,
    Embedder,
    Recipe,
    define_model,
    standard_parts,
    table,
    unit_length,
)
from image_similarity.options import FitOptions, ModelChoice
from image_similarity.quality.adaptation.job import photos_of
from image_similarity.quality.adaptation.learn import LearnOptions, Photos, learn
from image_similarity.quality.evaluation.candidates import speed_of
from image_similarity.quality.self_queries import PhotoSample, make_queries
from image_similarity.settings import Folders, model_folders
from image_similarity.types import CatalogueImage, Product, Progress, no_progress
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.settings import Settings

COLOUR = "colour"
SHARES = (0.2, 0.4)  # of colour, beside each network's 1; learning may double it
PAIRED = 3  # networks, the best alone with colour, that are tried in pairs
BETTER = 0.9  # of the error of `standard`: of many candidates on a sample, the best is better by chance alone
MOST = 5  # networks beside those of `standard`: a mixture has at most eight parts
PHOTOS = 300  # simulated, of up to 500 images
LEARNING = LearnOptions(regularisations=(0.3,), emphases=(2.0,))  # what most catalogues choose; a fit tries others
TIMED = 16  # images that the speed is measured on


@dataclass(frozen=True, slots=True)
class Candidate(Record):
    """One candidate's quality and cost.

    Attributes:
        model: its name.
        leave_one_out, simulated: R@1 of left-out images and of simulated photos, on products that were not learned
            from; None where the sample has no such queries.
        images_per_second: that its networks embed here, alone.
        dimension: numbers of an image's features.
    """

    model: str
    leave_one_out: float | None
    simulated: float | None
    images_per_second: float
    dimension: int

    @property
    def error(self) -> float:
        """The geometric mean of the two error rates, which the choice makes small."""
        rates = [1 - each for each in (self.leave_one_out, self.simulated) if each is not None]
        return float(np.prod(rates) ** (1 / len(rates))) if rates else 1.0


@dataclass(frozen=True, slots=True)
class Selection(Record):
    """The best model for a catalogue.

    Attributes:
        model: its name.
        candidates: all that were tried, best first; none if there was no choice.
        reason: why there was none.
    """

    model: str
    candidates: tuple[Candidate, ...] = ()
    reason: str = ""


def select_model(
    source: Iterable[CatalogueImage],
    dataset: Dataset,
    settings: Settings,
    progress: Progress = no_progress,
    *,
    photos: int = PHOTOS,
) -> Selection:
    """Try the models at hand, mixtures of two and shares of colour on a sample of a catalogue.

    At hand are the networks of ``standard``, pulled models, and descriptions (``.toml``) in the folders of models.

    Args:
        source: the catalogue, with its images on this machine.
        dataset: the dataset.
        settings: the workspace's.
        progress: reports the images embedded and the candidates tried.
        photos: how many simulated photos to measure with.

    Raises:
        WeightsError, ModelError: a model cannot be loaded.
        NotFittedError: no image of the sample can be used.
    """
    others = list(_others(settings))[:MOST]
    if not others:
        reason = "no other model is at hand: pull one with models pull, or put a description into the folder of models"
        return Selection(STANDARD, reason=reason)
    networks = [*standard_parts(), *others]
    folder = Folders(settings.root).images(dataset)
    images = {image.image_id: image for image in sample_catalogue(source).check}  # whole products
    listed = _Listed([replace(image, location=str(image.file(folder))) for image in images.values()])
    with TemporaryDirectory() as place:
        trial = replace(settings, root=Path(place), models=settings.models or Folders(settings.root).models)
        measured = _Measured(listed, [*networks, COLOUR], photos, dataset, trial, progress)
        try:
            tried = _tried(measured, networks, progress)
        except AdaptationError as error:
            return Selection(STANDARD, reason=str(error))
    ordered = tuple(sorted(tried, key=lambda row: (row.error, row.model)))
    standard = next(row for row in tried if row.model == STANDARD_MIXTURE)
    best = ordered[0]
    return Selection(best.model if best.error < BETTER * standard.error else STANDARD, ordered)


def _others(settings: Settings) -> Iterator[str]:
    """Pulled models that may be used commercially, by name, and descriptions in the folders of models, by path."""
    yield from (row.name for row in table(settings) if row.state == PULLED and row.commercial_use)
    for folder in model_folders(settings):
        yield from (str(path) for path in sorted(folder.glob("*.toml")))


def _name(networks: Sequence[str], share: float) -> str:
    return "+".join([*networks, f"{share:g}*{COLOUR}"])


def _tried(measured: _Measured, networks: Sequence[str], progress: Progress) -> list[Candidate]:
    """Each network with colour, then pairs of the best ones, and those of ``standard``."""
    tried = list[Candidate]()

    def attempt(some: Sequence[str]) -> None:
        for share in SHARES:
            tried.append(measured.candidate(some, share))
            progress("compare models", len(tried))

    for network in networks:
        attempt([network])
    of_each = (tried[at : at + len(SHARES)] for at in range(0, len(tried), len(SHARES)))
    errors = {network: min(row.error for row in rows) for network, rows in zip(networks, of_each, strict=True)}
    best = sorted(networks, key=lambda network: errors[network])[:PAIRED]
    pairs = [tuple(each for each in networks if each in pair) for pair in combinations(best, 2)]
    for pair in dict.fromkeys([*pairs, tuple(standard_parts())]):
        attempt(pair)
    return tried


@dataclass(frozen=True, slots=True)
class _Listed:
    """A catalogue of these images, without texts."""

    images: Sequence[CatalogueImage]

    def __iter__(self) -> Iterator[CatalogueImage]:
        return iter(self.images)

    def products(self) -> Iterator[Product]:
        return iter(())


class _Measured:
    """A sample's images, and simulated photos of them, embedded with every model."""

    def __init__(
        self,
        listed: _Listed,
        names: Sequence[str],
        photos: int,
        dataset: Dataset,
        settings: Settings,
        progress: Progress,
    ) -> None:
        self._names = list(names)
        model = define_model(ModelChoice("+".join(names)), dataset, settings)
        with CatalogueSnapshot(listed) as source, fitting_database(dataset, settings) as database:
            self._model = embed_catalogue(source, database, settings, model, FitOptions(learn=False), progress).model
            stored = open_index(self._model.recipe, database, settings)
            made = make_queries(stored, self._model, database, settings, PhotoSample(photos), progress)
        slices = self._model.recipe.slices([spec.dimension for spec in self._model.specs])
        self._slices = dict(zip(names, slices, strict=True))
        self._images = np.array(stored.features.vectors, np.float32)
        self._products = np.array(stored.grouping.row_product)
        self._photos = photos_of(made.queries) or Photos.none(self._images.shape[1])
        self._seconds = {name: self._seconds_of(name, settings) for name in names}

    def candidate(self, networks: Sequence[str], share: float) -> Candidate:
        """Measure one mixture.

        Raises:
            AdaptationError: the sample has too few products.
        """
        names, weights = (*networks, COLOUR), (*(1.0 for _ in networks), share)
        recipe = Recipe(_name(networks, share), names, weights)
        parts = [self._slices[name] for name in names]

        def mixed(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
            return recipe.joined([unit_length(vectors[:, part], recipe.key) for part in parts])

        images, photos = mixed(self._images), Photos(mixed(self._photos.vectors), self._photos.rows)
        smallest = recipe.slices([part.stop - part.start for part in parts])[-1]
        learned = learn(images, self._products, LEARNING, photos=photos, smallest_part=smallest)
        left_out, simulated = (
            None if change is None else (change.after if learned.helps else change.before).value
            for change in (learned.leave_one_out, learned.simulated)
        )
        speed = 1 / sum(self._seconds[name] for name in names)
        return Candidate(recipe.key, left_out, simulated, round(speed, 1), images.shape[1])

    def _seconds_of(self, name: str, settings: Settings) -> float:
        """The time that one image takes."""
        part = self._model.parts[self._names.index(name)]
        side = part.spec.input.size
        pixels = np.random.default_rng(0).integers(0, 256, (TIMED, side, side, 3), np.uint8)
        return 1 / speed_of(Embedder([part.load(settings)], Recipe.of(part.spec.key)), [(each,) for each in pixels])
