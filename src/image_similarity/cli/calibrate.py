"""The command ``calibrate`` and its output."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.cli.terminal import with_flags
from image_similarity.options import IN_USE, CalibrateOptions, ModelChoice

if TYPE_CHECKING:
    from image_similarity.quality import CalibrateReport


def calibrate(
    dataset: o.Dataset,
    model: o.Model = IN_USE,
    weights: o.Weights = None,
    weights_digest: o.WeightsDigest = None,
    precision: o.Precision = "auto",
    device: o.Device = None,
    known: Annotated[
        float,
        typer.Option(help="Your estimate of the share of photos whose product is in the catalogue, between 0 and 1."),
    ] = 0.5,
    images: Annotated[int, typer.Option(min=30, help="Number of catalogue images to learn from.")] = 600,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="several|crops|mean",
            help="Also calibrate searches with several photos, with --crops (twelve times the work of the network) or "
            "with --aggregate mean; repeat for more than one.",
        ),
    ] = None,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = Path("data"),
) -> None:
    """Learn match probabilities from the catalogue itself."""
    from image_similarity.settings import Settings
    from image_similarity.util.memory import keep_freed
    from image_similarity.workspace import Workspace

    choice = ModelChoice(model, weights, weights_digest, precision)
    settings = Settings.from_environment(None, root=workspace, device=device)
    keep_freed()
    with Bars() as bars:
        place = Workspace(settings=settings, progress=bars)
        report = place.calibrate(dataset, CalibrateOptions(known=known, images=images, also=also or ()), model=choice)
    _show(report, format)


def _show(report: CalibrateReport, how: o.Format) -> None:
    from image_similarity.cli import printing as show
    from image_similarity.search import OPTIONS, PHOTO

    if how is o.Format.json:
        show.show_json(report)
        return
    header = ["search", "query", "queries", "R@1", "calibration error", "recall at 5% false matches", "--min-match"]
    rows = []
    for scoring, found in report.calibrated.items():
        for name, count in found.queries.items():
            point = found.operating_points[name]
            shares = (f"{share:.3f}" for share in (point.found, found.errors[name], point.kept))
            # Rounded up: the printed threshold lets no more false matches through than the measured one.
            least = f"{math.ceil(point.threshold * 100) / 100:.2f}"
            rows.append([with_flags(OPTIONS[scoring]), name, count, *shares, least])
    show.show_rows(header, rows, how, f"Match probability, {report.dataset}, on products left out of the learning")
    photo = report.calibrated[PHOTO]
    show.log(
        f"expected calibration error of one photo {photo.error:.3f}: measured on {photo.products} products, each left "
        f"out of the learning; assumes that {photo.known_share:.0%} of the photos show a product of the catalogue"
    )
    for scoring, reason in report.skipped.items():
        show.log(f"{with_flags(OPTIONS[scoring])}: no match probabilities, {reason}")
    if report.kept:
        kept = ", ".join(with_flags(OPTIONS[scoring]) for scoring in report.kept)
        show.log(f"kept from an earlier calibration: {kept}")
    if report.unread:
        show.log(f"{len(report.unread)} images could not be read and were left out")
    show.log(f"Written to {report.file}; search uses it")
