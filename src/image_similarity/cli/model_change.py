"""The commands for a change of model: two side by side, then the one in the place of the other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.cli.workspace import opened
from image_similarity.options import CompareOptions

if TYPE_CHECKING:
    from image_similarity.quality import Comparison

BAR = 40  # characters of the longest bar of the histogram


def compare(
    old: Annotated[str, typer.Argument(help="First model, as in --model.")],
    new: Annotated[str, typer.Argument(help="Second model.")],
    dataset: o.Dataset,
    number: o.Number = 10,
    shown: Annotated[
        int, typer.Option(min=0, help="Number of the most changed products to show, on the page and in JSON.")
    ] = 20,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    html: o.Html = None,
    workspace: o.Workspace = Path("data"),
) -> None:
    """Compare the recommendations of two models."""
    from image_similarity.cli import printing as show
    from image_similarity.cli.evaluate import show_results

    with Bars() as bars:
        result = opened(workspace, bars).compare(dataset, old, new, CompareOptions(number=number, shown=shown))
    if format is o.Format.json:
        show.show_json(result)
    else:
        _show(result, format)
        if result.evaluation is not None and format is o.Format.table:
            show_results(result.evaluation)
        elif result.unasked:
            show.say(f"not evaluated: {result.unasked}")
    if html is not None:
        _page(result, html)
        show.say(f"See the pictures: {html}")


def use(
    dataset: o.Dataset,
    model: Annotated[
        str | None, typer.Argument(help="Model, as in --model; shows the current one if left out.")
    ] = None,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = Path("data"),
) -> None:
    """Set or show a dataset's default model."""
    from image_similarity.cli import printing as show

    now = opened(workspace).use(dataset, model)
    if format is o.Format.json:
        show.show_json(now)
        return
    rows = [[now.model, "in use"], *([name, "before"] for name in now.before)]
    show.show_rows(["model", ""], rows, format, f"Models of {dataset}")


def _show(result: Comparison, how: o.Format) -> None:
    from image_similarity.cli import printing as show

    most = max(result.histogram)
    rows = []
    for tenth, count in enumerate(result.histogram):
        bar = "█" * round(BAR * count / most)
        rows.append([f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}", count, *([bar] if how is o.Format.table else [])])
    header = ["the same", "products", *([""] if how is o.Format.table else [])]
    title = f"Of the {result.number} most similar products, {result.old_key} and {result.new_key}"
    show.show_rows(header, rows, how, title)
    show.say(
        f"{result.products} products: {result.overlap:.3f} of the most similar products are the same, "
        f"the first is the same for {result.same_first:.3f} of the products"
    )
    if result.only_old or result.only_new:
        show.say(f"products of {result.old_key} alone: {result.only_old}, of {result.new_key} alone: {result.only_new}")
    for change in result.changed[:5]:
        name = change.product.title or change.product.product_id
        show.say(f"  changes most: {change.product.product_id}, {name}: {change.overlap:.2f} the same")


def _page(result: Comparison, html: Path) -> None:
    """Each changed product twice: as it was, as it would be."""
    from image_similarity.html import Page, Section, write
    from image_similarity.quality import result_tables

    evaluation = result.evaluation
    sections = [] if evaluation is None else [Section("Which is better?", "", (), result_tables(evaluation))]
    sections += [
        Section(
            change.product.title or change.product.product_id,
            f"{change.overlap:.0%} of the most similar products are the same.",
            [change.old.row().noted(result.old_key), change.new.row().noted(result.new_key)],
        )
        for change in result.changed
    ]
    facts = [
        ("products", str(result.products)),
        (f"the same among the {result.number} most similar", f"{result.overlap:.1%}"),
        ("the first is the same", f"{result.same_first:.1%}"),
    ]
    command = "image-similarity " + " ".join(sys.argv[1:])
    sides = f"{result.old_key} as it is, {result.new_key} as it would be: the products that change most under both."
    write(Page(f"Another model for {result.dataset}?", sides, sections, facts, command), html)
