"""Print a fit's report: the images, the model, how often the right product comes first, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from image_similarity.cli.options import Format
from image_similarity.cli.printing import log, show_counts, show_overridden, show_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from image_similarity.fit import FitReport
    from image_similarity.fitting import WrittenRecommendations
    from image_similarity.quality import Learning, Selection

QUERIES = {"leave_one_out": "another image of a product", "simulated": "a simulated customer's photo"}


def show_fit(report: FitReport, dataset: str) -> None:
    """Print a fit's report as text."""
    if report.selection is not None:
        _show_selection(report.selection)
    if report.embedded.int8 is not None:
        log(str(report.embedded.int8))
    for line in recall_lines(report.written):
        log(line)
    show_counts("embedded", report.counts, report.failures, dataset)
    show_overridden(report.embedded.overridden)
    if report.learning is not None:
        for line in learning_lines(report.learning):
            log(line)
    for written in report.recommendations_of:
        log(f"{written.products} products with {written.model_key}: {written.path}.pickle and .parquet")
    log(f"Default model of {dataset}: {report.default_model}")
    log(f"Next: image-similarity search PHOTO --dataset {dataset}, or serve --dataset {dataset}")


def _show_selection(selection: Selection) -> None:
    if selection.reason:
        log(f"The model is {selection.model}: {selection.reason}")
        return
    rows = [
        [row.model, *(_rate(each) for each in (row.leave_one_out, row.simulated)), row.images_per_second, row.dimension]
        for row in selection.candidates
    ]
    header = ["model", "another image", "simulated photo", "images/s", "dimension"]
    show_rows(header, rows, Format.table, "How often the right product comes first, on a sample")
    log(f"The model is {selection.model}")


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def learning_lines(learning: Learning) -> Iterator[str]:
    """Lines about what the catalogue taught."""
    if learning.projection is not None:
        again = "" if learning.new else ", as learned before: the catalogue has hardly changed"
        yield f"How often the right product comes first, on products that were not learned from{again}:"
        for name, words in QUERIES.items():
            change = learning.projection[name]
            if change is not None:
                yield f"  {words}: {_share(change['before'])} before learning, {_share(change['after'])} after"
    if learning.probabilities is not None:
        yield from _probability_lines(learning.probabilities)
    for reason in learning.reasons:
        yield f"Not learned: {reason}"


def _probability_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    error = figures["expected_calibration_error"]
    yield f"Match probabilities are off by {error:.1%} on average; search --min-match leaves improbable matches out"


def _share(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.1%} [{estimate['low']:.1%}, {estimate['high']:.1%}]"


def recall_lines(written: WrittenRecommendations) -> Iterator[str]:
    """Lines about approximate search: from how many rows on it is used, and its recall."""
    from image_similarity.neighbours import ALL_PAIRS_UP_TO, EXACT_UP_TO

    for what, up_to, recall in (
        ("similar products are found approximately", ALL_PAIRS_UP_TO, written.recall),
        ("searches are approximate", EXACT_UP_TO, written.search_recall),
    ):
        if recall is not None:
            rows = f"{written.rows} images and views, more than {up_to}"
            yield f"{rows}: {what}, recall {recall:.1%} (on a sample)"


def fit_facts(report: FitReport) -> dict[str, object]:
    """The fields that only a fit's report has, for JSON."""
    return {
        "model": report.model_key,
        "default_model": report.default_model,
        "products": report.products,
        "stay_as_put": report.embedded.overridden,
        "recommendations": report.recommendations,
        "recall": report.written.recall,
        "search_recall": report.written.search_recall,
        "int8": None if report.embedded.int8 is None else str(report.embedded.int8),
        "learning": report.learning,
        "selection": report.selection,
    }
