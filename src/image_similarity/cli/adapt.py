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
    """Learn from the catalogue's images and photos of them which differences to ignore; kept only if it helps."""
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
    rows = []
    for name, change in (("left-out images", learned.leave_one_out), ("simulated photos", learned.simulated)):
        if change is not None:
            shares = (("before", change.before), ("after", change.after), ("difference", change.difference))
            rows += [[name, what, f"{each.value:.3f}", f"{each.low:.3f}", f"{each.high:.3f}"] for what, each in shares]
    title = f"How often the right product comes first, {report.dataset}, products left out"
    show.show_rows(["queries", "", "R@1", "95% from", "to"], rows, how, title)
    show.log(
        f"learned from {learned.images} images and {learned.photos} simulated photos of {learned.products} products: "
        f"dimension {learned.choice.dimension}, regularisation {learned.choice.regularisation}"
    )
    if report.unknown:
        ids = ", ".join(report.unknown[:SHOWN_UNKNOWN])
        show.log(f"{len(report.unknown)} products of the pairs have no images in the dataset: {ids}")
    show.log(f"Written to {report.folder}. Run fit with --model '{report.use}' to use it")
