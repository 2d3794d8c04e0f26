"""The commands. Each parses its flags, calls one method of the workspace and prints the result."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from image_similarity.cli import options as o
from image_similarity.cli.adapt import adapt
from image_similarity.cli.api_keys import keys
from image_similarity.cli.calibrate import calibrate
from image_similarity.cli.evaluate import evaluate
from image_similarity.cli.model_change import compare, use
from image_similarity.cli.models import models
from image_similarity.cli.progress import Bars
from image_similarity.cli.query import search, similar
from image_similarity.cli.serve import serve
from image_similarity.cli.terminal import OutputClosedError, log, write
from image_similarity.cli.workspace import columns_of, headers_of, open_workspace
from image_similarity.errors import SOME_FAILED, UsageError
from image_similarity.options import IN_USE, DownloadOptions, ExtractOptions, FitOptions, ModelChoice

if TYPE_CHECKING:
    from collections.abc import Sequence


DEFAULT_WORKSPACE = Path("data")


def _empty() -> typer.Typer:
    """An app without commands."""
    return typer.Typer(
        name="image-similarity",
        help="Visual product similarity: similar products for each product, and products for a photo.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: drawing it with rich takes longer than everything else
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _empty()


USAGE_ERROR = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""The base class of typer's errors about arguments."""


def run(arguments: Sequence[str]) -> int:
    """Run the command named by the arguments and return its exit code."""
    try:
        code = app_for(arguments[:1])(list(arguments), standalone_mode=False)
    except USAGE_ERROR as error:
        shown = io.StringIO()
        error.show(shown)
        for line in shown.getvalue().rstrip("\n").split("\n"):
            log(line)
        return error.exit_code
    except SystemExit as exit_:
        if isinstance(exit_.__context__, BrokenPipeError):  # how typer ends if the pipe closes while it prints help
            raise OutputClosedError("standard output is closed") from exit_
        raise
    return code if isinstance(code, int) else 0


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """An app with only the named command: building all of them takes typer longer than some commands take to run.

    Args:
        arguments: the first argument, or none; if it names no command, the app has all of them.
    """
    commands = [each for each in app.registered_commands if each.callback and each.callback.__name__ in arguments]
    groups = [each for each in app.registered_groups if each.name in arguments]
    if not commands and not groups:
        return app
    alone = _empty()
    alone.callback()(lambda: None)  # without it typer makes a single command the app itself
    alone.registered_commands, alone.registered_groups = commands, groups
    return alone


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the sample shop and the page.")] = Path("demo"),
) -> None:
    """Draw a sample shop, fit it, search it with customers' photos and write a page with the results."""
    from image_similarity.cli import printing as show
    from image_similarity.util.memory import keep_freed
    from image_similarity_demo import run_demo

    keep_freed()
    with Bars() as bars:
        result = run_demo(folder, bars)
    show.show_answer(result.similar, o.Format.table)
    show.show_answer(result.search, o.Format.table)
    show.log(f"{result.found} of {result.photos} customers' photos find their product first.")
    show.log(f"Results page: {result.page}")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="New folder to draw into.")],
    seed: Annotated[int, typer.Option(help="Random seed of the shop.")] = 2019,
) -> None:
    """Draw a sample shop: products, images, customers' photos and the right answers."""
    from image_similarity.cli import printing as show
    from image_similarity_demo import draw_sample

    with Bars() as bars:
        drawn = draw_sample(folder, seed=seed, progress=bars)
    show.log(f"{folder}: {drawn.products} products, {drawn.images} images, {drawn.photos} customers' photos")


@app.command()
def extract(
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Name of the dataset.")] = None,
    catalogue: Annotated[str | None, typer.Option(help="Table of images: a path, https://... or s3://...")] = None,
    products: o.Products = None,
    column: o.Column = None,
    columns: o.ColumnsFile = None,
    dpt_number: Annotated[
        int | None,
        typer.Option(
            "--dpt-number", "--dpt_number", min=0, help="Department number from the first version's listing; 0 for all."
        ),
    ] = None,
    domain_id: Annotated[
        str, typer.Option("--domain-id", "--domain_id", help="Domain of the department's listing.")
    ] = "0341",
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Number of parallel downloads.")] = 16,
    per_second: Annotated[float | None, typer.Option(min=0.01, help="Maximum downloads per second.")] = None,
    tries: Annotated[int, typer.Option(min=1, max=20, help="Attempts per image.")] = 5,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Download again images that changed on the server.")
    ] = False,
    allow_removal: o.AllowRemoval = False,
    header: o.Headers = None,
    strict: o.Strict = False,
    format: o.ReportFormats = o.ReportFormat.text,  # noqa: A002 (the flag's name)
    config: o.ConfigFile = Path("config.py"),
    endpoint_url: o.EndpointUrl = None,
    workspace: o.Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Download a catalogue's images, from a table or a department's listing on S3."""
    from image_similarity.cli import printing as show

    if (dpt_number is None) == (catalogue is None) or (catalogue is not None and dataset is None):
        raise UsageError("extract takes --dataset NAME --catalogue TABLE, or --dpt-number N")
    options = ExtractOptions(
        products=products,
        columns=columns_of(column, columns),
        downloads=DownloadOptions(
            concurrency=concurrency,
            per_second=per_second,
            tries=tries,
            refresh=refresh,
            headers=headers_of(header),
        ),
        allow_removal=allow_removal,
    )
    with Bars() as bars:
        place = open_workspace(workspace, bars, config_file=config, s3_endpoint=endpoint_url, strict=strict)
        if dpt_number is not None:
            report = place.extract_department(dpt_number, domain_id, options)
        else:
            report = place.extract(str(catalogue), str(dataset), options)
    if format is o.ReportFormat.json:
        show.show_report(report, {"folder": str(report.folder)})
    else:
        show.show_counts("downloaded", report.counts, report.failures, report.folder.name)
        show.log(f"The images are in {report.folder}")
    if report.failures:
        raise typer.Exit(SOME_FAILED)


@app.command()
def fit(
    dataset: o.Dataset,
    catalogue: Annotated[
        str | None, typer.Option(help="Folder, table or feed of images. [default: data/dataset/NAME]")
    ] = None,
    products: o.Products = None,
    column: o.Column = None,
    columns: o.ColumnsFile = None,
    model: o.Model = IN_USE,
    weights: o.Weights = None,
    weights_digest: o.WeightsDigest = None,
    precision: o.Precision = "auto",
    force_int8: o.ForceInt8 = False,
    device: o.Device = None,
    data_augmentation: Annotated[
        int,
        typer.Option(
            "--data-augmentation", "--data_augmentation", min=0, max=1, help="1: embed six views of each image."
        ),
    ] = 0,
    number: o.Number = 10,
    aggregate: o.Aggregate = "best",
    header: o.Headers = None,
    strict: o.Strict = False,
    allow_removal: o.AllowRemoval = False,
    learn: Annotated[
        bool, typer.Option("--learn/--no-learn", help="Learn from the catalogue; kept only if it helps.")
    ] = True,
    format: o.ReportFormats = o.ReportFormat.text,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Embed a catalogue's new and changed images, learn from it, and write each product's recommendations."""
    from image_similarity.cli import printing as show
    from image_similarity.cli.fit_report import fit_facts, show_fit
    from image_similarity.util.memory import keep_freed

    options = FitOptions(
        products=products,
        columns=columns_of(column, columns),
        model=ModelChoice(model, weights, weights_digest, precision, force_int8),
        data_augmentation=data_augmentation,
        number=number,
        aggregate=aggregate,
        downloads=DownloadOptions(headers=headers_of(header)),
        allow_removal=allow_removal,
        learn=learn,
    )
    keep_freed()
    with Bars() as bars:
        report = open_workspace(workspace, bars, strict=strict, device=device).fit(dataset, catalogue, options)
    if format is o.ReportFormat.json:
        show.show_report(report, fit_facts(report))
    else:
        show_fit(report, dataset)
    if report.failures:
        raise typer.Exit(SOME_FAILED)


app.command()(similar)
app.command()(search)
app.command()(evaluate)
app.command()(adapt)
app.command()(calibrate)
app.command()(compare)
app.command()(use)
app.command()(serve)
app.add_typer(models, name="models")
app.add_typer(keys, name="keys")


@app.command()
def failures(
    dataset: o.Dataset,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = DEFAULT_WORKSPACE,
) -> None:
    """List the images that the last extract and fit could not use, and why."""
    from image_similarity.cli import printing as show

    show.show_failures(open_workspace(workspace).failures(dataset), format)


@app.command()
def version() -> None:
    """Print the version."""
    from image_similarity import __version__

    write(__version__ + "\n")
