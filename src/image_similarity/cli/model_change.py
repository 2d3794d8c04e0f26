"""The commands ``compare`` and ``use``: compare two models, set the default one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.cli.workspace import open_workspace
from image_similarity.options import CompareOptions

if TYPE_CHECKING:
    from image_similarity.quality import Comparison

BAR = 40  # characters of the longest bar of the histogram


def compare(
    old: Annotated[str, typer.Argument(help="First model, as in --model.")],
    new: Annotated[str, typer.Argument(help="Second model.")],
    dataset: o.Dataset,
    number: o.Number = 10,
    shown: Annotated[int, typer.Option(min=0, help="Number of most changed products to show.")] = 20,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    html: o.Html = None,
    workspace: o.Workspace = Path("data"),
) -> None:
    """Compare the recommendations of two models."""
    from image_similarity.cli import printing as show
    from image_similarity.cli.evaluate import show_results

    with Bars() as bars:
        result = open_workspace(workspace, bars).compare(dataset, old, new, CompareOptions(number=number, shown=shown))
    if format is o.Format.json:
        show.show_json(result)
    else:
        _show(result, format)
        if result.evaluation is not None and format is o.Format.table:
            show_results(result.evaluation)
        elif result.not_evaluated:
            show.log(f"not evaluated: {result.not_evaluated}")
    if html is not None:
        _page(result, html)
        show.log(f"Results page: {html}")


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

    now = open_workspace(workspace).use(dataset, model)
    if format is o.Format.json:
        show.show_json(now)
        return
    rows = [[now.model, "default"], *([name, "previous"] for name in now.before)]
    show.show_rows(["model", "role"], rows, format, f"Models of {dataset}")


def _show(result: Comparison, how: o.Format) -> None:
    from image_similarity.cli import printing as show

    most = max(result.histogram)
    rows = []
    for tenth, count in enumerate(result.histogram):
        bar = "█" * round(BAR * count / most)
        rows.append([f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}", count, *([bar] if how is o.Format.table else [])])
    header = ["overlap", "products", *([""] if how is o.Format.table else [])]
    title = f"Overlap of the {result.number} most similar products, {result.old_key} and {result.new_key}"
    show.show_rows(header, rows, how, title)
    show.log(
        f"{result.products} products: {result.overlap:.3f} of their recommendations are the same, "
        f"the first one is the same for {result.same_first:.3f} of the products"
    )
    if result.only_old or result.only_new:
        show.log(f"products only in {result.old_key}: {result.only_old}, only in {result.new_key}: {result.only_new}")
    for change in result.changed[:5]:
        name = change.product.title or change.product.product_id
        show.log(f"  most changed: {change.product.product_id}, {name}: {change.overlap:.2f} the same")


def _page(result: Comparison, html: Path) -> None:
    """Write a page that shows each changed product with the answers of both models."""
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
        (f"overlap of the {result.number} most similar", f"{result.overlap:.1%}"),
        ("same first product", f"{result.same_first:.1%}"),
    ]
    command = "image-similarity " + " ".join(sys.argv[1:])
    sides = f"The products that change most: first with {result.old_key}, then with {result.new_key}."
    write(Page(f"Comparison of two models, {result.dataset}", sides, sections, facts, command), html)
