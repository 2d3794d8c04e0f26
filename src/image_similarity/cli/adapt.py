"""The command ``adapt`` and its output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.options import IN_USE, ModelChoice

if TYPE_CHECKING:
    from image_similarity.quality import AdaptReport

SHOWN_UNKNOWN = 10


def adapt(
    dataset: o.Dataset,
    model: o.Model = IN_USE,
    weights_digest: o.WeightsDigest = None,
    precision: o.Precision = "auto",
    pairs: Annotated[
        Path | None, typer.Option(help="Table of similar products: product_id,similar_product_id.")
    ] = None,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = Path("data"),
) -> None:
    """Learn from products with several images which differences to ignore; kept only if it helps."""
    from image_similarity.catalogue import read_pairs
    from image_similarity.settings import Settings
    from image_similarity.workspace import Workspace

    choice = ModelChoice(model, None, weights_digest, precision)
    settings = Settings.from_environment(None, root=workspace)
    similar_pairs = read_pairs(str(pairs), settings) if pairs else []
    with Bars() as bars:
        report = Workspace(settings=settings, progress=bars).adapt(dataset, model=choice, pairs=similar_pairs)
    _show(report, format)


def _show(report: AdaptReport, how: o.Format) -> None:
    """Print recall on held-out products before and after, and how to use the adapted model."""
    from image_similarity.cli import printing as show

    if how is o.Format.json:
        show.show_json(report)
        return
    learned = report.learned
    shares = (("before", learned.before), ("after", learned.after), ("difference", learned.difference))
    rows = [[name, f"{share.value:.3f}", f"{share.low:.3f}", f"{share.high:.3f}"] for name, share in shares]
    title = f"Another photo of the same product, {report.dataset}, products left out"
    show.show_rows(["", "R@1", "95% from", "to"], rows, how, title)
    show.log(
        f"learned from {learned.images} images of {learned.products} products with several images: "
        f"dimension {learned.dimension}, regularisation {learned.regularisation}"
    )
    if report.unknown:
        ids = ", ".join(report.unknown[:SHOWN_UNKNOWN])
        show.log(f"{len(report.unknown)} products of the pairs have no images in the dataset: {ids}")
    show.log(f"Written to {report.folder}. Run fit with --model '{report.use}' to use it")
