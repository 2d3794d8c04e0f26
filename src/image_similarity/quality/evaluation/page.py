"""An evaluation as one HTML page: tables, quality against speed, and each model's worst failures with images."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from image_similarity.errors import ImageError
from image_similarity.html import Card, CardImage, Figure, Page, Plot, Point, Row, Section, Table, write
from image_similarity.quality.evaluation.metrics import NAMES
from image_similarity.quality.evaluation.photos import simulated
from image_similarity.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from image_similarity.quality.evaluation.report import Evaluation
    from image_similarity.quality.evaluation.results import Result
    from image_similarity.quality.evaluation.worst import Miss
    from image_similarity.search import ShownProduct
    from image_similarity.util.statistics import Estimate

COMPARED = "r_at_1"  # the metric that is plotted and compared with the first model
MOST_FAILURES = 50
SCALES = (
    "R@k: the share of queries with a right answer among the first k results. mAP@R: the mean average precision of the "
    "first R results, R being the number of right answers. MRR: the mean of 1 / rank of the first right answer. The "
    "bands are 95% intervals of a bootstrap over products; those of a difference compare two models query by query."
)


def write_page(found: Evaluation, path: Path, command: str) -> None:
    """Write the page; its simulated photos are rendered again.

    Raises:
        OutputError: it cannot be written.
    """
    with TemporaryDirectory() as folder:
        write(_page(found, Path(folder), command), path)


def _page(found: Evaluation, folder: Path, command: str) -> Page:
    names = ", ".join(cost.model for cost in found.costs)
    facts = [
        ("Images", f"{found.images:,}"),
        ("Products", f"{found.products:,}"),
        ("Models", names),
        ("Queries", f"{sum(each[0].queries for each in _by_protocol(found)):,}"),
        ("Seed", str(found.seed)),
    ]
    intro = "\n".join((SCALES, *(f"Note: {note}." for note in found.notes)))
    sections = [Section("Results", intro, (), result_tables(found))]
    sections.append(_cost(found))
    for number, (result, misses) in enumerate(zip(found.results, found.worst, strict=True)):
        intro = f"{result.title}: the queries whose right answer ranks lowest, one per product."
        place = folder / str(number)
        sections.append(Section(_short(result), intro, _rows(misses, place), compact=True))
    if found.failures or found.skipped:
        sections.append(_left_out(found))
    return Page(f"Evaluation of {found.dataset}", "", sections, facts, command)


def result_tables(found: Evaluation) -> list[Table]:
    """The results as tables of a page, one per protocol."""
    return [_table(results, found) for results in _by_protocol(found)]


def _by_protocol(found: Evaluation) -> list[list[Result]]:
    protocols = dict.fromkeys(result.protocol for result in found.results)
    return [[result for result in found.results if result.protocol == protocol] for protocol in protocols]


def _table(results: Sequence[Result], found: Evaluation) -> Table:
    first = results[0]
    rows: list[list[str | Figure]] = []
    for result in results:
        row: list[str | Figure] = [result.model, *(_figure(each) for each in result.metrics.values())]
        if len(results) > 1:
            change = result.difference
            row.append("the baseline" if change is None else _figure(change[COMPARED], signed=True))
        rows.append(row)
    against = [f"{NAMES[COMPARED]} against {first.model}"] if len(results) > 1 else []
    note = f"{found.descriptions[first.protocol]} {first.queries:,} queries, {first.products:,} products."
    return Table(first.title, note, ["Model", *(NAMES[metric] for metric in first.metrics), *against], rows)


def _cost(found: Evaluation) -> Section:
    rows = [
        [
            cost.model,
            cost.model_key,
            f"{cost.dimension:,}",
            f"{cost.bytes_per_product:,.0f}",
            "not measured" if cost.images_per_second is None else f"{cost.images_per_second:.1f}",
        ]
        for cost in found.costs
    ]
    header = ["Model", "Key", "Dimension", "Bytes per product", "Images per second"]
    table = Table("Cost", "Speed: the network alone, on the machine that made this page.", header, rows)
    timed = any(cost.images_per_second for cost in found.costs)
    plots = [_plot(results, found) for results in _by_protocol(found)] if timed else []
    return Section("Quality and speed", "", (), [table], plots)


def _plot(results: Sequence[Result], found: Evaluation) -> Plot:
    points = [
        Point(result.model, number, cost.images_per_second, _figure(result.metrics[COMPARED]))
        for number, (result, cost) in enumerate(zip(results, found.costs, strict=True))
        if cost.images_per_second
    ]
    return Plot(results[0].title, "images per second", NAMES[COMPARED], points)


def _figure(estimate: Estimate, *, signed: bool = False) -> Figure:
    return Figure(estimate.value, estimate.low, estimate.high, signed)


def _short(result: Result) -> str:
    return f"Worst of {result.model}: {result.protocol}"


def _rows(misses: Sequence[Miss], place: Path) -> Iterator[Row]:
    for number, miss in enumerate(misses):
        image = miss.query.image
        if miss.seed is not None:
            image = _photo(image, miss.seed, place.with_name(f"{place.name}-{number}.png"))
        answers = [_card(miss.first, 1), _card(miss.best, miss.rank, right=True)]
        right = miss.best.product.title or miss.best.product.product_id
        yield Row(_card(miss.query, None, image), answers, f"{right} first at rank {miss.rank:,}", "Query")


def _photo(image: str, seed: int, target: Path) -> str:
    """Render the simulated photo of an image again; the image itself if it can no longer be read."""
    try:
        simulated(Path(image), seed, Settings().max_pixels).save(target, compress_level=1)
    except ImageError:
        return image
    return str(target)


def _card(shown: ShownProduct, rank: int | None, image: str | None = None, *, right: bool | None = None) -> Card:
    product = shown.product
    path = shown.image if image is None else image
    return Card(product.product_id, product.title, "", rank, None, "", CardImage(path, product.title), right)


def _left_out(found: Evaluation) -> Section:
    failures = [[each.image_id, each.product_id, each.stage, each.reason] for each in found.failures[:MOST_FAILURES]]
    tables = []
    if failures:
        note = f"{len(found.failures):,} in all." if len(found.failures) > MOST_FAILURES else ""
        tables.append(Table("Photos that could not be used", note, ["Photo", "Product", "Stage", "Reason"], failures))
    if found.skipped:
        tables.append(Table("Not measured", "", ["Protocol", "Why"], [list(each) for each in found.skipped.items()]))
    return Section("Left out", "", (), tables)
