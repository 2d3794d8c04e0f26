"""The commands for models: list, pull, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.cli.workspace import open_workspace

models = typer.Typer(
    help="List, download and verify embedding models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
MEGABYTE = 1_000_000


@models.command("list")
def list_models(
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = Path("data"),
) -> None:
    """List all models: what each is good for, what it costs, and whether it is on this machine."""
    from image_similarity.cli import printing as show

    rows = open_workspace(workspace).models()
    if format is o.Format.json:
        show.show_json(rows)
        return
    header = ["model", "good for", "MB", "work", "px", "state", "licence"]
    cells = [
        [
            row.name,
            row.good_for,
            f"{row.size / MEGABYTE:.0f}" if row.size else "",
            f"{row.work:.1f}" if row.work else "",
            row.input.split(",")[0],
            row.state,
            row.licence.split(" (")[0] + ("" if row.commercial_use else ", non-commercial"),
        ]
        for row in rows
    ]
    title = "Models (work: billions of multiplications an image; all fields with --format json)"
    show.show_rows(header, cells, format, title)


@models.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Models from the list, or timm:NAME.")],
    to: Annotated[
        Path | None, typer.Option(help="Write to this folder, for another machine (IMAGE_SIMILARITY_MODELS there).")
    ] = None,
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = Path("data"),
) -> None:
    """Download models from the hub; each file is checked and locked by its SHA-256."""
    from image_similarity.cli import printing as show
    from image_similarity.models import first_warning
    from image_similarity.settings import Settings
    from image_similarity.workspace import Workspace

    settings = Settings.from_environment(None, root=workspace)
    with Bars() as bars:
        pulled = Workspace(settings=settings, progress=bars).pull_models(*names, to=to)
    for model in pulled:
        for text in () if model.commercial_use else first_warning(model.name, model.licence, settings):
            show.log(f"warning: {text}")
        for path in model.trusted:
            show.log(f"{model.name}: {path} had no known digest; the downloaded file's own is locked from now on")
    if format is o.Format.json:
        show.show_json(pulled)
        return
    header = ["model", "", "revision", "MB", "folder"]
    cells = [
        [
            model.name,
            "pulled" if model.new else "already there",
            model.revision,
            f"{model.bytes / MEGABYTE:.1f}",
            model.folder,
        ]
        for model in pulled
    ]
    show.show_rows(header, cells, format, "Models")


@models.command()
def verify(
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = Path("data"),
) -> None:
    """Check every downloaded file against the lock file."""
    from image_similarity.cli import printing as show

    checked = open_workspace(workspace).verify_models()
    wrong = [file for file in checked if file.problem]
    if format is o.Format.json:
        show.show_json(checked)
    else:
        rows = [[file.name, file.path, file.problem or "ok"] for file in checked]
        show.show_rows(["model", "file", ""], rows, format, "Pulled files")
    show.log(f"{len(checked)} files, {len(wrong)} differ from the lock file")
    if wrong:
        raise typer.Exit(1)
