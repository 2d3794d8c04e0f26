"""Evaluate models side by side, on queries whose answers are known from the catalogue or from labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError, UsageError
from image_similarity.options import EvaluateOptions
from image_similarity.quality.evaluation import names, plans
from image_similarity.quality.evaluation.candidates import cost, open_candidates
from image_similarity.quality.evaluation.held_out import held_out_models, merged, queries_about, without_photos
from image_similarity.quality.evaluation.photos import (
    Embedded,
    Source,
    embedded,
    failure_of,
    inputs_of,
    readable,
    simulate,
)
from image_similarity.quality.evaluation.protocols import rank_queries
from image_similarity.quality.evaluation.report import Evaluation
from image_similarity.quality.evaluation.results import Result, side_by_side
from image_similarity.quality.evaluation.worst import ProductCards, worst_misses
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords, Database
from image_similarity.types import Progress, no_progress
from image_similarity.util.memory import release
from image_similarity.util.sampling import spread_over_products
from image_similarity.util.statistics import Bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.catalogue import Labels
    from image_similarity.dataset import Dataset
    from image_similarity.models import Embedder
    from image_similarity.options import ModelChoice
    from image_similarity.quality.evaluation.candidates import Candidate, Cost
    from image_similarity.quality.evaluation.plans import Plan
    from image_similarity.quality.evaluation.protocols import Outcome
    from image_similarity.settings import Settings

TIMED = 16  # images that the speed is measured on
LEARNED = "is cross-validated: each query is searched with a projection that was learned without its product"


def evaluate(
    dataset: Dataset,
    settings: Settings,
    models: Sequence[ModelChoice],
    options: EvaluateOptions,
    progress: Progress = no_progress,
) -> Evaluation:
    """Evaluate each model with the same queries. The same seed gives the same results, except for the speed.

    Raises:
        UsageError: no model, an unknown protocol, attribute or option.
        CatalogueError: the table of labels cannot be read.
        NotFittedError: a model has no features or features of other images, or no protocol can be measured.
        WeightsError, ModelError: a model cannot be loaded, and is needed (see ``stored_only``).
    """
    labels = _labels(options, settings)
    _check(models, options)
    folders = Folders(settings.root)
    with (
        Database(folders.database, dataset, timeout=settings.lock_timeout) as database,
        TemporaryDirectory() as folder,
    ):
        candidates = open_candidates(models, database, dataset, settings, progress)
        cards = ProductCards(CatalogueRecords(database), folders.images(dataset))
        run = _Run(settings, options, progress, cards, database, Path(folder))
        sources = [] if options.stored_only else run.sources(candidates[0])
        planned, skipped = run.plan(candidates[0], labels, sources)
        runs = [run.evaluate(candidate, planned, sources) for candidate in candidates]
        outcomes = [
            _common_queries(plan, [each.outcomes[at] for each in runs], [each.photos[at] for each in runs])
            for at, plan in enumerate(planned)
        ]
        kept = [(plan, each) for plan, each in zip(planned, outcomes, strict=True) if len(each[0].numbers)]
        skipped |= {
            plan.protocol.name: "no query has a right answer left"
            for plan, each in zip(planned, outcomes, strict=True)
            if not len(each[0].numbers)
        }
        if not kept:
            raise NotFittedError(_nothing_measured(dataset, skipped))
        first = candidates[0].stored.grouping
        return Evaluation(
            dataset=dataset.name,
            seed=options.seed,
            images=len(first.row_product),
            products=len(first.products),
            costs=[each.cost for each in runs],
            results=[result for plan, each in kept for result in _results(plan, candidates, each, options.seed)],
            worst=[
                worst_misses(plan, candidate, outcome, options.worst, cards)
                for plan, each in kept
                for candidate, outcome in zip(candidates, each, strict=True)
            ],
            descriptions={plan.protocol.name: plan.protocol.description for plan, _ in kept},
            skipped=skipped,
            notes=[f"{candidate.label} {LEARNED}" for candidate in candidates if candidate.model.learned],
            failures=[*labels.failures, *(failure for plan in planned for failure in plan.photos.failures)],
        )


@dataclass(frozen=True, slots=True)
class _ModelRun:
    """One model's outcome and photo vectors for each plan, and its cost."""

    outcomes: list[Outcome]
    photos: list[Embedded]
    cost: Cost


@dataclass(frozen=True, slots=True)
class _Run:
    settings: Settings
    options: EvaluateOptions
    progress: Progress
    cards: ProductCards
    database: Database
    folder: Path

    def sources(self, candidate: Candidate) -> list[Source]:
        """The images that photos are simulated from, and the speed is measured on."""
        starts, features = candidate.stored.grouping.starts, candidate.stored.features
        sources = []
        for row in spread_over_products(starts, max(self.options.simulated, TIMED), self.options.seed):
            image = self.cards.records.image(features.image_ids[row])
            if image is not None:
                place = image.file(self.cards.folder)
                sources.append(Source(row, image, place))
        return sources

    def plan(
        self, candidate: Candidate, labels: Labels, sources: Sequence[Source]
    ) -> tuple[list[Plan], dict[str, str]]:
        """The plans of the protocols that can be measured, in their order, and why the others cannot."""
        requested = self.options.protocols or list(names.PROTOCOLS)
        planned: dict[str, Plan | str] = {}
        rows = plans.query_rows(candidate, self.options.most_images, self.options.seed)
        planned[names.LEAVE_ONE_OUT.name] = plans.leave_one_out(rows) if len(rows) else "no product has two images"
        attribute = plans.left_out_attribute(candidate, self.options.leave_out)
        planned[names.LEAVE_ATTRIBUTE_OUT.name] = (
            plans.leave_attribute_out(rows, candidate, attribute) if attribute else "no attribute is a colour"
        )
        if names.SIMULATED.name in requested:
            planned[names.SIMULATED.name] = self._simulated(sources[: self.options.simulated])
        planned[names.PHOTOS.name] = planned[names.PICKS.name] = "no table of such labels was given"
        if labels.photos:
            photos = plans.labelled_photos(labels.photos, candidate, self.settings.max_pixels)
            planned[names.PHOTOS.name] = "a network is needed" if self.options.stored_only else photos
        if labels.picks:
            planned[names.PICKS.name] = plans.picked(labels.picks, candidate, str(self.options.labels))
        chosen = [(name, planned[name]) for name in names.PROTOCOLS if name in requested]
        return (
            [each for _, each in chosen if not isinstance(each, str)],
            {name: each for name, each in chosen if isinstance(each, str)},
        )

    def _simulated(self, sources: Sequence[Source]) -> Plan | str:
        if self.options.stored_only:
            return "a network is needed"
        if not self.options.simulated:
            return "none requested"
        return plans.simulated_photos(
            simulate(sources, self.options.seed, self.folder, self.settings.max_pixels, self.progress)
        )

    def evaluate(self, candidate: Candidate, planned: Sequence[Plan], sources: Sequence[Source]) -> _ModelRun:
        """Evaluate one model and measure its cost. One network at a time is in memory."""
        plain = candidate.model.plain  # a learned projection is applied later, one for each fold
        embedder = None if self.options.stored_only else plain.load(self.settings, self.progress)
        photos = [self._photos(plan, candidate, embedder) for plan in planned]
        if candidate.model.learned is None:
            outcomes = [
                self._outcome(plan, candidate, each.vectors) for plan, each in zip(planned, photos, strict=True)
            ]
        else:
            outcomes = self._held_out(candidate, planned, photos)
        limit = self.settings.max_pixels
        timed = [] if embedder is None else readable(sources, TIMED, limit)
        inputs = [each for block in inputs_of(timed, candidate, limit) for each in block]
        return _ModelRun(outcomes, photos, cost(candidate, embedder, inputs))

    def _photos(self, plan: Plan, candidate: Candidate, embedder: Embedder | None) -> Embedded:
        """The vectors of a protocol's photos, before any learned projection."""
        paths = plan.photos.paths
        if embedder is None or not paths:
            return Embedded()
        stage = f"embed {plan.protocol.name}, {candidate.label}"
        limit = self.settings.max_pixels
        return embedded(paths, candidate, embedder, limit, lambda n: self.progress(stage, n, len(paths)))

    def _held_out(self, candidate: Candidate, planned: Sequence[Plan], photos: Sequence[Embedded]) -> list[Outcome]:
        """Evaluate an adapted model: each query with the projection that was learned without its product."""
        parts: list[list[Outcome]] = [[] for _ in planned]
        for one in held_out_models(candidate, self.database, self.settings, self.folder):
            for plan, each, outcomes in zip(planned, photos, parts, strict=True):
                projected = one.projection.apply(each.vectors) if each.vectors.size else each.vectors
                outcomes.append(queries_about(self._outcome(plan, one.candidate, projected), one.products))
        return [merged(outcomes) for outcomes in parts]

    def _outcome(self, plan: Plan, candidate: Candidate, vectors: NDArray[np.floating]) -> Outcome:
        stage = f"search {plan.protocol.name}, {candidate.label}"

        def on_progress(done: int) -> None:
            release(candidate.stored.features.vectors)  # every block of queries reads them all
            self.progress(stage, done, plan.total)

        queries = iter(()) if plan.photos.paths and not vectors.size else plan.queries(candidate, vectors)
        return rank_queries(queries, plan.scores(candidate), on_progress)


def _common_queries(plan: Plan, outcomes: list[Outcome], photos: Sequence[Embedded]) -> list[Outcome]:
    """The queries that all models could embed; a photo that one of them could not is a failure."""
    errors = {number: error for each in photos for number, error in each.errors.items()}
    plan.photos.failures += [
        failure_of(error, *plan.photos.ids[number], plan.photos.originals[number])
        for number, error in sorted(errors.items())
    ]
    return [without_photos(outcome, errors) for outcome in outcomes] if errors else outcomes


def _results(plan: Plan, candidates: Sequence[Candidate], outcomes: Sequence[Outcome], seed: int) -> list[Result]:
    first = outcomes[0]
    counts = len(first.numbers), len(set(first.products.tolist()))
    protocol = plan.protocol
    return [
        Result(protocol.name, protocol.title, candidate.label, candidate.model.key, *counts, estimates, difference)
        for candidate, (estimates, difference) in zip(
            candidates, side_by_side(outcomes, replace(Bootstrap(), seed=seed)), strict=True
        )
    ]


def _labels(options: EvaluateOptions, settings: Settings) -> Labels:
    from image_similarity.catalogue import Labels, read_labels

    return Labels() if options.labels is None else read_labels(str(options.labels), settings)


def _check(models: Sequence[ModelChoice], options: EvaluateOptions) -> None:
    unknown = [name for name in options.protocols if name not in names.PROTOCOLS]
    if unknown:
        raise UsageError(f"there is no protocol {unknown[0]!r}: use {', '.join(names.PROTOCOLS)}")
    if not models:
        raise UsageError("name one model or more")


def _nothing_measured(dataset: Dataset, skipped: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
    return f"nothing can be measured on {dataset.name}: {reasons}"
