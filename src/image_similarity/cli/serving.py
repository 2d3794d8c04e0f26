"""The command ``serve``."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.progress import Bars
from image_similarity.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from image_similarity.settings import Settings

INSTALL = "the service needs its own packages: pip install 'image-similarity[serve]'"
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
"""Of numpy and FAISS: while the network keeps every processor busy, a second thread of theirs is waited for."""
DEFAULT_WORKSPACE = Path("data")


def serve(
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="The dataset's name; left out where there is but one.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Once or more: the first answers where a request names none."),
    ] = None,
    precision: o.Precisions = o.Precision.auto,
    host: Annotated[str, typer.Option(help="Where to listen; others than this machine need API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of TCP.")] = 8000,
    keys: Annotated[
        bool, typer.Option("--keys", help="Ask for API keys on this machine too: where a proxy lets others in.")
    ] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let everybody in who can reach it.")] = False,
    allowed_host: Annotated[list[str] | None, typer.Option(help="A name that the service goes by.")] = None,
    cors_origin: Annotated[list[str] | None, typer.Option(help="A site whose pages may use it.")] = None,
    fetch_from: Annotated[
        list[str] | None, typer.Option(help="A host or network of your own that pictures may be fetched from.")
    ] = None,
    proxy: Annotated[
        list[str] | None, typer.Option(help="Address of a proxy whose X-Forwarded-For is believed, such as 127.0.0.1.")
    ] = None,
    connections: Annotated[
        int, typer.Option(min=1, max=4096, help="Connections at a time; more are turned away.")
    ] = 1000,
    queue: Annotated[int, typer.Option(min=1, max=10_000, help="Searches at a time; more are told to wait.")] = 64,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Photos that go through the network together.")] = 16,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second of one key or address; 0: any number.")] = 0.0,
    photos: Annotated[int, typer.Option(min=0, help="Photos that are kept, so that answers can be shared.")] = 10_000,
    rebuild_after: Annotated[
        int, typer.Option(min=0, help="Products put or taken away before the index is built anew.")
    ] = 2000,
    workspace: o.Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Serve searches over HTTP, and a page to try them on."""
    from image_similarity.cli import show
    from image_similarity.dataset import Dataset
    from image_similarity.embedding.choice import IN_USE, ModelChoice
    from image_similarity.settings import Settings

    signal.signal(signal.SIGTERM, _end)  # until the service has a way of its own
    for pool in POOLS:
        os.environ.setdefault(pool, "1")
    try:
        from image_similarity.service.options import ServiceOptions
        from image_similarity.service.running import run
    except ImportError as error:
        raise UsageError(INSTALL) from error
    settings = Settings.from_environment(None, root=workspace)
    dataset = dataset or _the_only_one(settings)
    options = ServiceOptions(
        Dataset.named(dataset),
        tuple(ModelChoice(name, precision=precision.value) for name in model or [IN_USE]),
        host=host,
        port=port,
        keys=keys,
        insecure=insecure,
        hosts=tuple(allowed_host or ()),
        origins=tuple(cors_origin or ()),
        inside=tuple(fetch_from or ()),
        proxies=tuple(proxy or ()),
        connections=connections,
        queue=queue,
        batch=batch,
        rate=rate,
        photos=photos,
        recent=rebuild_after,
    )
    show.say(f"Loading {dataset} ...")
    with Bars() as bars:
        run(options, replace(settings, root=settings.root.resolve()), _say_ready, bars)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """To be told to end while the models are loaded is no failure."""
    sys.exit(0)


def _the_only_one(settings: Settings) -> str:
    """The dataset to serve where none is named."""
    from image_similarity.features.database import dataset_names
    from image_similarity.settings import Folders

    names = dataset_names(Folders(settings.root).database)
    if len(names) != 1:
        raise UsageError(f"say which --dataset to serve: {', '.join(names) or 'there is none yet, run fit first'}")
    return names[0]


def _say_ready(address: str) -> None:
    from image_similarity.cli import show

    show.say(f"Open {address} in a browser. Stop with Ctrl-C.")
