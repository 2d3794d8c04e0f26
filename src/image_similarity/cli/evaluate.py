"""The command ``evaluate`` and its output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.cli.workspace import open_workspace
from image_similarity.errors import BELOW_BAR, SOME_FAILED, UsageError
from image_similarity.options import IN_USE, EvaluateOptions, ModelChoice

if TYPE_CHECKING:
    from image_similarity.quality import Evaluation, Result
    from image_similarity.util.statistics import Estimate

SHOWN_FAILURES = 20


def evaluate(
    dataset: o.Dataset,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Model to evaluate; repeat to compare several."),
    ] = None,
    weights: o.Weights = None,
    weights_digest: o.WeightsDigest = None,
    precision: o.Precision = "auto",
    device: o.Device = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Table of right answers: query,product_id for photos, or product_id,similar_product_id for products."
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="Run only leave-one-out, leave-attribute-out, simulated, photos or picks; repeatable."),
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option("--leave-out", help="Attribute that leave-attribute-out leaves out. [default: the colour]"),
    ] = None,
    simulated: Annotated[int, typer.Option(min=0, help="Number of simulated photos.")] = 200,
    stored_only: Annotated[
        bool, typer.Option("--stored-only", help="Use stored vectors only: no photos, no speed measurement.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the samples.")] = 0,
    at_least: Annotated[
        list[str] | None,
        typer.Option("--at-least", help="Exit with code 4 below [protocol:]metric=value, as in R@1=0.7; repeatable."),
    ] = None,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    html: o.Html = None,
    workspace: o.Workspace = Path("data"),
) -> None:
    """Measure how often the right product comes first."""
    from image_similarity.quality import below_thresholds, parse_threshold
    from image_similarity.util.memory import keep_freed

    bars = [parse_threshold(text) for text in at_least or ()]
    models = model or [IN_USE]
    if len(models) > 1 and (weights or weights_digest):
        raise UsageError("--weights belong to one model: evaluate it alone")
    choices = [ModelChoice(each, weights, weights_digest, precision) for each in models]
    options = EvaluateOptions(
        protocols=protocol or (),
        labels=labels,
        leave_out=leave_out,
        simulated=simulated,
        stored_only=stored_only,
        seed=seed,
    )
    keep_freed()
    with Bars() as shown:
        place = open_workspace(workspace, shown, device=device)
        found = place.evaluate(dataset, options, model=choices)
    _print(found, format)
    if html is not None:
        found.write_html(html, "image-similarity " + " ".join(sys.argv[1:]))
    below = below_thresholds(bars, found.results)
    _show_remarks(found, below, html)
    if below:
        raise typer.Exit(BELOW_BAR)
    if found.failures:
        raise typer.Exit(SOME_FAILED)


def _print(found: Evaluation, how: o.Format) -> None:
    from image_similarity.cli import printing as show

    if how is o.Format.json:
        show.show_json(found)
    elif how is o.Format.csv:
        rows = [_csv_row(found, result) for result in found.results]
        show.show_rows(list(rows[0]), [list(row.values()) for row in rows], how, "")
    else:
        show_results(found)
        _show_cost(found)


def _csv_row(found: Evaluation, result: Result) -> dict[str, object]:
    """One result as a CSV row: column name to value."""
    cost = next(each for each in found.costs if (each.model, each.model_key) == (result.model, result.model_key))
    row: dict[str, object] = {name: getattr(result, name) for name in ("protocol", "model", "model_key")}
    row |= {"queries": result.queries, "products": result.products}
    for prefix, estimates in (("", result.metrics), ("difference_", result.difference)):
        for metric in result.metrics:
            estimate = None if estimates is None else estimates[metric]
            for suffix, part in (("", "value"), ("_low", "low"), ("_high", "high")):
                row[f"{prefix}{metric}{suffix}"] = "" if estimate is None else getattr(estimate, part)
    speed = "" if cost.images_per_second is None else round(cost.images_per_second, 1)
    return row | {"images_per_second": speed, "bytes_per_product": round(cost.bytes_per_product)}


def show_results(found: Evaluation) -> None:
    """Print a table for each protocol."""
    from image_similarity.cli import printing as show
    from image_similarity.quality import NAMES

    for protocol in dict.fromkeys(result.protocol for result in found.results):
        results = [result for result in found.results if result.protocol == protocol]
        rows: list[list[str | list[str]]] = []
        for result in results:
            rows.append([result.model, *(_cell(each) for each in result.metrics.values())])
            if result.difference is not None:
                rows.append(["- first", *(_cell(each, "+") for each in result.difference.values())])
        first = results[0]
        title = f"{first.title}, {found.dataset} ({protocol}: {first.queries} queries, {first.products} products)"
        show.show_rows(["model", *NAMES.values()], rows, o.Format.table, title)


def _show_cost(found: Evaluation) -> None:
    from image_similarity.cli import printing as show

    costs = [
        [
            each.model,
            str(each.dimension),
            f"{each.bytes_per_product:.0f}",
            "" if each.images_per_second is None else f"{each.images_per_second:.1f}",
        ]
        for each in found.costs
    ]
    show.show_rows(["model", "dimension", "bytes per product", "images/s"], costs, o.Format.table, "Cost")


def _cell(estimate: Estimate, sign: str = "") -> list[str]:
    """A figure and, under it, its 95% interval; short enough for six columns in eighty characters."""
    digits = 2 if sign else 3
    low, high = (f"{each:{sign}.{digits}f}".replace("0.", ".", 1) for each in (estimate.low, estimate.high))
    return [f"{estimate.value:{sign}.3f}", f"{low} {high}"]


def _show_remarks(found: Evaluation, below: list[str], html: Path | None) -> None:
    from image_similarity.cli import printing as show

    for note in found.notes:
        show.log(f"note: {note}")
    for protocol, reason in found.skipped.items():
        show.log(f"not measured: {protocol} ({reason})")
    if found.failures:
        show.log(f"{len(found.failures)} photos or rows could not be used:")
    for failure in found.failures[:SHOWN_FAILURES]:
        show.log(f"  {failure.stage}: {failure.image_id} of product {failure.product_id}: {failure.reason}")
    if len(found.failures) > SHOWN_FAILURES:
        show.log(f"  and {len(found.failures) - SHOWN_FAILURES} more: --format json lists all")
    if html is not None:
        show.log(f"See the report: {html}")
    for sentence in below:
        show.log(f"below the threshold: {sentence}")
