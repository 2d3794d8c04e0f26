"""How good are the answers? Models side by side, asked what the catalogue or somebody's labels know the answers to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError, UsageError
from image_similarity.options import EvaluateOptions
from image_similarity.quality.evaluation import names, plans
from image_similarity.quality.evaluation.candidates import cost, open_candidates
from image_similarity.quality.evaluation.held_out import about, held_out_models, together, without
from image_similarity.quality.evaluation.photos import (
    Embedded,
    Source,
    embedded,
    failed,
    inputs_of,
    readable,
    simulate,
)
from image_similarity.quality.evaluation.protocols import ask
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
LEARNED = "was learned anew without the products that are asked about, several times over: it knows none of them"


def evaluate(
    dataset: Dataset,
    settings: Settings,
    models: Sequence[ModelChoice],
    options: EvaluateOptions,
    progress: Progress = no_progress,
) -> Evaluation:
    """Put the same queries to each model. The same seed gives the same results, but for the speed.

    Raises:
        UsageError: no model, an unknown protocol, attribute or option.
        CatalogueError: the table of labels cannot be read.
        NotFittedError: no features of a model, features of other images, or nothing can be asked.
        WeightsError, ModelError: a model cannot be had, and is needed (see ``stored_only``).
    """
    labels = _labels(options, settings)
    _check(models, options)
    folders = Folders(settings.root)
    with (
        Database(folders.database, dataset, timeout=settings.lock_timeout) as database,
        TemporaryDirectory() as folder,
    ):
        sides = open_candidates(models, database, dataset, settings, progress)
        shower = ProductCards(CatalogueRecords(database), folders.images(dataset))
        run = _Run(settings, options, progress, shower, database, Path(folder))
        sources = [] if options.stored_only else run.sources(sides[0])
        planned, skipped = run.plan(sides[0], labels, sources)
        asked = [run.ask(side, planned, sources) for side in sides]
        outcomes = [
            _of_all(plan, [side.outcomes[at] for side in asked], [side.photos[at] for side in asked])
            for at, plan in enumerate(planned)
        ]
        kept = [(plan, each) for plan, each in zip(planned, outcomes, strict=True) if len(each[0].names)]
        skipped |= {
            plan.protocol.name: "no query has a right answer left"
            for plan, each in zip(planned, outcomes, strict=True)
            if not len(each[0].names)
        }
        if not kept:
            raise NotFittedError(_nothing(dataset, skipped))
        first = sides[0].stored.grouping
        return Evaluation(
            dataset=dataset.name,
            seed=options.seed,
            images=len(first.row_product),
            products=len(first.products),
            costs=[side.cost for side in asked],
            results=[result for plan, each in kept for result in _results(plan, sides, each, options.seed)],
            worst=[
                worst_misses(plan, side, outcome, options.worst, shower)
                for plan, each in kept
                for side, outcome in zip(sides, each, strict=True)
            ],
            abouts={plan.protocol.name: plan.protocol.about for plan, _ in kept},
            skipped=skipped,
            notes=[f"{side.label} {LEARNED}" for side in sides if side.model.learned],
            failures=[*labels.failures, *(failure for plan in planned for failure in plan.photos.failures)],
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One model's answers to each plan, its vectors of each plan's photos, and what it costs."""

    outcomes: list[Outcome]
    photos: list[Embedded]
    cost: Cost


@dataclass(frozen=True, slots=True)
class _Run:
    settings: Settings
    options: EvaluateOptions
    progress: Progress
    shower: ProductCards
    database: Database
    folder: Path

    def sources(self, side: Candidate) -> list[Source]:
        """The images that photos are made of, and the speed is measured on."""
        starts, features = side.stored.grouping.starts, side.stored.features
        sources = []
        for row in spread_over_products(starts, max(self.options.simulated, TIMED), self.options.seed):
            image = self.shower.records.image(features.image_ids[row])
            if image is not None:
                place = image.file(self.shower.folder)
                sources.append(Source(row, image, place))
        return sources

    def plan(self, side: Candidate, labels: Labels, sources: Sequence[Source]) -> tuple[list[Plan], dict[str, str]]:
        """What can be asked, in the order of the protocols, and why the rest cannot."""
        wanted = self.options.protocols or list(names.PROTOCOLS)
        planned: dict[str, Plan | str] = {}
        rows = plans.asking_rows(side, self.options.most_images, self.options.seed)
        planned[names.LEAVE_ONE_OUT.name] = plans.leave_one_out(rows) if len(rows) else "no product has two images"
        attribute = plans.own_attribute(side, self.options.leave_out)
        planned[names.LEAVE_ATTRIBUTE_OUT.name] = (
            plans.leave_attribute_out(rows, side, attribute) if attribute else "no attribute is a colour"
        )
        if names.SIMULATED.name in wanted:
            planned[names.SIMULATED.name] = self._simulated(sources[: self.options.simulated])
        planned[names.PHOTOS.name] = planned[names.PICKS.name] = "no table of such labels was given"
        if labels.photos:
            photos = plans.labelled_photos(labels.photos, side, self.settings.max_pixels)
            planned[names.PHOTOS.name] = "a network is needed" if self.options.stored_only else photos
        if labels.picks:
            planned[names.PICKS.name] = plans.picked(labels.picks, side, str(self.options.labels))
        asked = [(name, planned[name]) for name in names.PROTOCOLS if name in wanted]
        return (
            [each for _, each in asked if not isinstance(each, str)],
            {name: each for name, each in asked if isinstance(each, str)},
        )

    def _simulated(self, sources: Sequence[Source]) -> Plan | str:
        if self.options.stored_only:
            return "a network is needed"
        if not self.options.simulated:
            return "none requested"
        return plans.simulated_photos(
            simulate(sources, self.options.seed, self.folder, self.settings.max_pixels, self.progress)
        )

    def ask(self, side: Candidate, planned: Sequence[Plan], sources: Sequence[Source]) -> _Asked:
        """All answers of one model, and what it costs. One network at a time is in memory."""
        plain = side.model.plain  # what was learned comes later, a part forgotten
        embedder = None if self.options.stored_only else plain.load(self.settings, self.progress)
        photos = [self._photos(plan, side, embedder) for plan in planned]
        if side.model.learned is None:
            outcomes = [self._outcome(plan, side, each.vectors) for plan, each in zip(planned, photos, strict=True)]
        else:
            outcomes = self._honestly(side, planned, photos)
        limit = self.settings.max_pixels
        timed = [] if embedder is None else readable(sources, TIMED, limit)
        inputs = [each for block in inputs_of(timed, side, limit) for each in block]
        return _Asked(outcomes, photos, cost(side, embedder, inputs))

    def _photos(self, plan: Plan, side: Candidate, embedder: Embedder | None) -> Embedded:
        """The vectors of a protocol's photos, before anything that was learned."""
        paths = plan.photos.paths
        if embedder is None or not paths:
            return Embedded()
        stage = f"embed {plan.protocol.name}, {side.label}"
        limit = self.settings.max_pixels
        return embedded(paths, side, embedder, limit, lambda n: self.progress(stage, n, len(paths)))

    def _honestly(self, side: Candidate, planned: Sequence[Plan], photos: Sequence[Embedded]) -> list[Outcome]:
        """Each query put to what was learned without the product that it is about."""
        parts: list[list[Outcome]] = [[] for _ in planned]
        for one in held_out_models(side, self.database, self.settings, self.folder):
            for plan, each, outcomes in zip(planned, photos, parts, strict=True):
                turned = one.projection.apply(each.vectors) if each.vectors.size else each.vectors
                outcomes.append(about(self._outcome(plan, one.side, turned), one.forgotten))
        return [together(outcomes) for outcomes in parts]

    def _outcome(self, plan: Plan, side: Candidate, vectors: NDArray[np.floating]) -> Outcome:
        stage = f"search {plan.protocol.name}, {side.label}"

        def told(done: int) -> None:
            release(side.stored.features.vectors)  # every block of queries reads them all
            self.progress(stage, done, plan.total)

        asking = iter(()) if plan.photos.paths and not vectors.size else plan.queries(side, vectors)
        return ask(asking, plan.scores(side), told)


def _of_all(plan: Plan, outcomes: list[Outcome], photos: Sequence[Embedded]) -> list[Outcome]:
    """The queries that every model could be asked; a photo that one makes nothing of is a failure."""
    lost = {number: error for each in photos for number, error in each.lost.items()}
    plan.photos.failures += [
        failed(error, *plan.photos.asking[number], plan.photos.originals[number])
        for number, error in sorted(lost.items())
    ]
    return [without(outcome, lost) for outcome in outcomes] if lost else outcomes


def _results(plan: Plan, sides: Sequence[Candidate], outcomes: Sequence[Outcome], seed: int) -> list[Result]:
    first = outcomes[0]
    counts = len(first.names), len(set(first.products.tolist()))
    protocol = plan.protocol
    return [
        Result(protocol.name, protocol.title, side.label, side.model.key, *counts, estimates, difference)
        for side, (estimates, difference) in zip(
            sides, side_by_side(outcomes, replace(Bootstrap(), seed=seed)), strict=True
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


def _nothing(dataset: Dataset, skipped: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
    return f"nothing can be measured on {dataset.name}: {reasons}"
