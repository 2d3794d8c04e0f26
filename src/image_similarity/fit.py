"""Fit a catalogue in one step: features, what the catalogue teaches, match probabilities, recommendations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from image_similarity.fitting import (
    EmbeddedCatalogue,
    WrittenRecommendations,
    embed_catalogue,
    fitting_database,
    write_recommendations,
)
from image_similarity.models import (
    BY_FIT,
    BY_USE,
    expression_of,
    projection_folder,
    read_default_model,
    set_default_model,
    warnings_of,
)
from image_similarity.options import IN_USE
from image_similarity.quality import Learning, Selection, learn_from_catalogue
from image_similarity.types import Counts, Failure, NoteLog, Notes, Progress, no_notes, no_progress

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.catalogue import CatalogueSnapshot
    from image_similarity.dataset import Dataset
    from image_similarity.models import DefaultModel, Model
    from image_similarity.options import FitOptions
    from image_similarity.settings import Settings


@dataclass(frozen=True, slots=True)
class FitReport:
    """The result of a fit.

    Attributes:
        embedded: the counts of the images, their failures, and the model at its precision.
        recommendations_of: what was written for each model: the named one, and that which the catalogue improved.
        learning: what the catalogue taught; None if it was not to be learned from.
        default_model: the dataset's default model from now on.
        selection: the models that were tried, if the best one was to be chosen.
        notes: notes on the catalogue: what was guessed, joined, left out, or looks wrong.
    """

    embedded: EmbeddedCatalogue
    recommendations_of: tuple[WrittenRecommendations, ...]
    learning: Learning | None
    default_model: str
    selection: Selection | None = None
    notes: tuple[str, ...] = ()

    @property
    def written(self) -> WrittenRecommendations:
        """The recommendations of the model to use."""
        return self.recommendations_of[-1]

    @property
    def model_key(self) -> str:
        """The key of the model to use."""
        return self.written.model_key

    @property
    def counts(self) -> Counts:
        """The counts of the images."""
        return self.embedded.counts

    @property
    def failures(self) -> list[Failure]:
        """The images that could not be used."""
        return self.embedded.failures

    @property
    def products(self) -> int:
        """How many products have recommendations."""
        return self.written.products

    @property
    def recommendations(self) -> Path:
        """The path of the two files of recommendations, without their extensions."""
        return self.written.path


def fit(
    source: CatalogueSnapshot,
    dataset: Dataset,
    settings: Settings,
    model: Model,
    options: FitOptions,
    progress: Progress = no_progress,
    notes: Notes = no_notes,
) -> FitReport:
    """Bring a dataset's features up to date with its catalogue, learn from it, and write its recommendations.

    A dataset without a default model gets the one that is fitted, and with it what the catalogue teaches.

    Args:
        source: the catalogue.
        dataset: the dataset to update.
        settings: the workspace's.
        model: the result of :func:`~image_similarity.models.resolver.define_model`.
        options: everything else.
        progress: reports progress.
        notes: receives the notes on the catalogue that are known before the work begins.

    Raises:
        WeightsError, ModelError: the model is not available, or in int8 it is too far from fp32.
        RemovalError: more products would be removed than allowed; none was.
        StoreError, OutputError: something cannot be written, or another fit of the dataset is running; everything
            stored before stays.
        NotFittedError: no image could be used.
    """
    log = NoteLog(notes)
    log.add_all(source.notes)
    log.add_all(warnings_of(model, settings))
    with fitting_database(dataset, settings) as database:
        default = read_default_model(dataset, settings)  # a damaged one is an error now, not after hours
        embedded = embed_catalogue(source, database, settings, model, options, progress)
        learning = learn_from_catalogue(dataset, settings, embedded.model, progress) if options.learn else None
        chosen = options.choice.name != IN_USE or default.chosen_by == BY_USE
        folder = projection_folder(settings, dataset, embedded.model.base_key)
        models = _models(embedded.model, learning, folder, chosen)
        written = tuple(write_recommendations(database, settings, each, options, progress) for each in models)
        default = _updated(default, models[-1], dataset, settings)
    return FitReport(embedded, written, learning, default.model, notes=log.texts)


def _models(model: Model, learning: Learning | None, folder: Path, chosen: bool) -> list[Model]:
    """The models to write recommendations of, the one to use last.

    Args:
        model: the fitted one.
        learning: what the catalogue taught, if anything.
        folder: of the learned projection.
        chosen: whether the user chose the model, which is then written whatever was learned.
    """
    if learning is None or (chosen and model.adapted):
        return [model]
    if not learning.helps:
        return [model.plain]
    learned = model.with_projection(folder)
    return [model.plain, learned] if chosen else [learned]


def _updated(default: DefaultModel, model: Model, dataset: Dataset, settings: Settings) -> DefaultModel:
    """The default model after a fit: the fitted one, unless there is another one or the user chose it."""
    expression = expression_of(model.choice)
    alike = default.model in (expression.name, replace(expression, adapted=not expression.adapted).name)
    ours = not default.chosen_by or (default.chosen_by == BY_FIT and alike)
    if not ours or (default.chosen_by and default.model == expression.name) or model.choice.weights_digest is not None:
        return default
    return set_default_model(dataset, settings, expression, BY_FIT)
