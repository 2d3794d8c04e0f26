"""The options that several commands share, each written once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class ReportFormat(StrEnum):
    """How a run's report is printed."""

    text = "text"
    json = "json"


class Precision(StrEnum):
    """How finely a network computes."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    int8 = "int8"


class Aggregate(StrEnum):
    """How the scores of image pairs become a product's."""

    best = "best"
    mean = "mean"
    votes = "votes"


class Likes(StrEnum):
    """Which of its parts a question asks with."""

    shape = "shape"
    colour = "colour"


class Scope(StrEnum):
    """What an API key is for; each includes the ones before it."""

    read = "read"
    write = "write"
    admin = "admin"


Workspace = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="IMAGE_SIMILARITY_WORKSPACE", help="The data directory.")
]
Dataset = Annotated[str, typer.Option("--dataset", "-d", help="The dataset's name.")]
Model = Annotated[
    str,
    typer.Option("--model", "-m", help="A name from `models list`, timm:NAME, a .toml, or several: VGG+0.2*colour."),
]
Weights = Annotated[Path | None, typer.Option(help="A local file of the network's weights.")]
WeightsDigest = Annotated[str | None, typer.Option(help="MD5 or SHA-256 of your own weights.")]
Precisions = Annotated[
    Precision,
    typer.Option("--precision", help="auto: as fitted, else bf16 where the processor has it, else fp32."),
]
ForceInt8 = Annotated[
    bool, typer.Option("--force-int8", help="Use int8 although its check finds it too far from fp32.")
]
Number = Annotated[int, typer.Option("--number", "-n", min=1, help="How many products.")]
Products = Annotated[
    str | None, typer.Option(help="A table of titles and descriptions, where the catalogue has them apart.")
]
Column = Annotated[
    list[str] | None,
    typer.Option("--column", help="Which column is which, as in image=Photo: product, image, image_id, title, ..."),
]
ColumnsFile = Annotated[Path | None, typer.Option("--columns", help="A .toml file that says the same.")]
Ways = Annotated[Aggregate, typer.Option(help="best pair of images, mean of all pairs, or the first version's votes.")]
Filter = Annotated[str | None, typer.Option(help="Only such products, as in 'price < 50 and brand = \"Kipsta\"'.")]
Text = Annotated[str | None, typer.Option(help="What to look for, in words; beside a photo or without one.")]
TextWeight = Annotated[float, typer.Option(min=0, max=1, help="The share of the words beside a photo.")]
MinMatch = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Leave out products that are it with less than this probability; see calibrate."),
]
Like = Annotated[Likes | None, typer.Option(help="Only the shape counts (another colour, same thing), or the colour.")]
Formats = Annotated[Format, typer.Option(help="How to print the results.")]
ReportFormats = Annotated[ReportFormat, typer.Option("--format", help="json: the report as one document, for scripts.")]
Html = Annotated[Path | None, typer.Option(help="Also write the results as a page with pictures.")]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header", help="'Name: value' to send, or 'images.example: Name: value' to one host of several; repeatable."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse pictures whose files were cut short.")]
AllowRemoval = Annotated[
    bool, typer.Option("--allow-removal", help="Go on although many products of the dataset are no longer listed.")
]
ConfigFile = Annotated[Path, typer.Option("--config", help="The first version's file of AWS keys.")]
EndpointUrl = Annotated[str | None, typer.Option(help="Another S3 than Amazon's.")]
