"""The commands ``similar`` and ``search``: query by product, photo or text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.cli.workspace import open_workspace
from image_similarity.errors import UsageError
from image_similarity.options import IN_USE, Box, ModelChoice, Query, SearchOptions, SimilarOptions

if TYPE_CHECKING:
    from image_similarity.search import Answer

DEFAULT_WORKSPACE = Path("data")


def similar(
    dataset: o.Dataset,
    product: Annotated[str | None, typer.Argument(help="Product id; a random product if left out.")] = None,
    model: o.Model = IN_USE,
    weights_digest: o.WeightsDigest = None,
    precision: o.Precision = "auto",
    number: Annotated[int | None, typer.Option("--number", "-n", min=1, help="Maximum number of products.")] = None,
    filter: o.Filter = None,  # noqa: A002 (the flag's name)
    match: o.Match = None,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    html: o.Html = None,
    workspace: o.Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Show the products most similar to a product."""
    from image_similarity.cli import printing as show

    choice = ModelChoice(model, None, weights_digest, precision)
    options = SimilarOptions(number=number, filter=filter, match=match)
    answer = open_workspace(workspace).similar(dataset, product, options, model=choice)
    show.show_answer(answer, format)
    _page(answer, html, f"Similar to {answer.query.product.title or answer.query.product.product_id}")


def search(
    dataset: o.Dataset,
    photo: Annotated[
        list[str] | None,
        typer.Argument(help="Path or URL of a photo, - for standard input. Several photos show the same thing."),
    ] = None,
    text: o.Text = None,
    text_weight: o.TextWeight = 0.5,
    model: o.Model = IN_USE,
    weights: o.Weights = None,
    weights_digest: o.WeightsDigest = None,
    precision: o.Precision = "auto",
    device: o.Device = None,
    data_augmentation: Annotated[
        int | None,
        typer.Option(
            "--data-augmentation",
            "--data_augmentation",
            min=0,
            max=1,
            help="1: search all six views. [default: as fitted]",
        ),
    ] = None,
    number: o.Number = 10,
    aggregate: o.Aggregate = "best",
    filter: o.Filter = None,  # noqa: A002 (the flag's name)
    min_match: o.MinMatch = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Explain each match: parts of the score and where on the photo (with --html: a heat map)."
        ),
    ] = False,
    crop: Annotated[
        str | None,
        typer.Option(help="Search with a part of the photo: left,top,right,bottom in pixels, or in % of its sides."),
    ] = None,
    crops: Annotated[bool, typer.Option("--crops", help="Search with the photo, its centre and its corners.")] = False,
    match: o.Match = None,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    html: o.Html = None,
    workspace: o.Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Find the products that look most like a photo, or match a text, or both."""
    from image_similarity.cli import printing as show

    photos = [sys.stdin.buffer.read() if each == "-" else each for each in photo or ()]
    query = Query(photo=photos, text=text, text_weight=text_weight, crop=_box(crop))
    options = SearchOptions(
        number=number,
        aggregate=aggregate,
        filter=filter,
        min_match=min_match,
        explain=explain,
        crops=crops,
        match=match,
    )
    choice = ModelChoice(model, weights, weights_digest, precision)
    with Bars() as bars:
        answer = open_workspace(workspace, bars, device=device).search(
            dataset, query, options, model=choice, data_augmentation=data_augmentation
        )
    show.show_answer(answer, format)
    _page(answer, html, f"Products like {text or answer.query.product.product_id}")


def _box(text: str | None) -> Box | None:
    """``0,0,200,300`` or ``10%,20%,60%,80%``."""
    if text is None:
        return None
    sides = [side.strip() for side in text.split(",")]
    in_shares = all(side.endswith("%") for side in sides)
    try:
        left, top, right, bottom = (float(side.removesuffix("%")) / (100 if in_shares else 1) for side in sides)
    except ValueError:
        raise UsageError(f"`crop` is left,top,right,bottom in pixels or in %, not {text!r}") from None
    return Box(left, top, right, bottom, "shares" if in_shares else "pixels")


def _page(answer: Answer, html: Path | None, title: str) -> None:
    if html is None:
        return
    from image_similarity.cli import printing as show
    from image_similarity.html import Page, Section, write

    command = "image-similarity " + " ".join(sys.argv[1:])
    write(Page(title, "", [Section("", "", [answer.row()])], command=command), html)
    show.log(f"Results page: {html}")
