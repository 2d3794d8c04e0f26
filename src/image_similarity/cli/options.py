"""The flags that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from image_similarity import options, settings


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class ReportFormat(StrEnum):
    """How a run's report is printed."""

    text = "text"
    json = "json"


class Scope(StrEnum):
    """What an API key is for; each includes the ones before it."""

    read = "read"
    write = "write"
    admin = "admin"


Workspace = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="IMAGE_SIMILARITY_WORKSPACE", help="Data directory.")
]
Dataset = Annotated[str, typer.Option("--dataset", "-d", help="Name of the dataset.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Embedding model: from `models list`, timm:NAME, a .toml file, or a mixture such as VGG+0.2*colour.",
    ),
]
Weights = Annotated[Path | None, typer.Option(help="Local file with the network's weights.")]
WeightsDigest = Annotated[str | None, typer.Option(help="MD5 or SHA-256 of these weights.")]
Precision = Annotated[
    options.Precision,
    typer.Option(
        "--precision", help="Numeric precision; auto: as fitted, else bf16 if the processor has it, else fp32."
    ),
]
Device = Annotated[
    settings.Device | None,
    typer.Option(
        "--device",
        help="Run networks on the processor or an NVIDIA GPU; auto: a GPU if there is one, for many images. "
        "[default: auto]",
    ),
]
ForceInt8 = Annotated[bool, typer.Option("--force-int8", help="Use int8 even if its check finds it too far from fp32.")]
Number = Annotated[int, typer.Option("--number", "-n", min=1, help="Number of products to return.")]
Products = Annotated[str | None, typer.Option(help="Separate table of titles and descriptions.")]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="Map a column, as in image=Photo (product, image, image_id, title, ...); repeatable."
    ),
]
ColumnsFile = Annotated[Path | None, typer.Option("--columns", help="TOML file with the same mapping.")]
Aggregate = Annotated[
    options.Aggregate,
    typer.Option(
        help="How image scores become a product score: best pair, mean of all pairs, or the first version's votes."
    ),
]
Filter = Annotated[
    str | None, typer.Option(help="Return only matching products, as in 'price < 50 and brand = \"Kipsta\"'.")
]
Text = Annotated[str | None, typer.Option(help="Text query, alone or combined with a photo.")]
TextWeight = Annotated[float, typer.Option(min=0, max=1, help="Weight of the text when combined with a photo.")]
MinMatch = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Drop matches below this probability of being the same product; needs calibrate."),
]
Match = Annotated[
    options.Match | None, typer.Option(help="Match only shape (same thing, other colours) or only colour.")
]
Formats = Annotated[Format, typer.Option(help="Output format.")]
ReportFormats = Annotated[ReportFormat, typer.Option("--format", help="Output format; json for scripts.")]
Html = Annotated[Path | None, typer.Option(help="Also write an HTML page with images.")]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        help="HTTP header to send, 'Name: value', or 'images.example: Name: value' for one host; repeatable.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Reject truncated image files instead of repairing them.")]
AllowRemoval = Annotated[
    bool, typer.Option("--allow-removal", help="Continue even if many products of the dataset are no longer listed.")
]
ConfigFile = Annotated[Path, typer.Option("--config", help="The first version's file with AWS credentials.")]
EndpointUrl = Annotated[str | None, typer.Option(help="URL of an S3-compatible server.")]
