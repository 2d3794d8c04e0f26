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

INSTALL = "the service needs extra packages: pip install 'image-similarity[serve]'"
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
"""Thread pools of numpy and FAISS: while the network uses every processor, a second thread of theirs only waits."""
DEFAULT_WORKSPACE = Path("data")


def serve(
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Name of the dataset; not needed when there is only one.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Model to serve; repeatable, the first is the default."),
    ] = None,
    precision: o.Precision = "auto",
    device: o.Device = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but this machine requires API keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port to listen on.")] = 8000,
    keys: Annotated[
        bool, typer.Option("--keys", help="Require API keys on this machine too, as behind a proxy.")
    ] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not require API keys.")] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Host name under which clients reach the service; repeatable.")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Origin of a web site that may call the service (CORS); repeatable.")
    ] = None,
    fetch_from: Annotated[
        list[str] | None, typer.Option(help="Private host or network that images may be fetched from; repeatable.")
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address of a trusted proxy that sets X-Forwarded-For, such as 127.0.0.1; repeatable."),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=4096, help="Maximum number of open connections.")] = 1000,
    queue: Annotated[
        int, typer.Option(min=1, max=10_000, help="Maximum number of searches in progress; more get 503.")
    ] = 64,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Maximum number of photos embedded together.")] = 16,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests per second allowed for one API key or address; 0: no limit.")
    ] = 0.0,
    photos: Annotated[
        int, typer.Option(min=0, help="Number of uploaded photos kept, so that links to results work.")
    ] = 10_000,
    rebuild_after: Annotated[
        int, typer.Option(min=0, help="Rebuild the index after this many product changes.")
    ] = 2000,
    workspace: o.Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Start the HTTP service and its search page."""
    from image_similarity.cli import printing as show
    from image_similarity.dataset import Dataset
    from image_similarity.options import IN_USE, ModelChoice
    from image_similarity.settings import Settings

    signal.signal(signal.SIGTERM, _end)  # until the service installs its own handler
    for pool in POOLS:
        os.environ.setdefault(pool, "1")
    try:
        from image_similarity.service import ServiceOptions, run
    except ImportError as error:
        raise UsageError(INSTALL) from error
    settings = Settings.from_environment(None, root=workspace, device=device)
    dataset = dataset or _only_dataset(settings)
    options = ServiceOptions(
        Dataset.named(dataset),
        tuple(ModelChoice(name, precision=precision) for name in model or [IN_USE]),
        host=host,
        port=port,
        keys=keys,
        insecure=insecure,
        allowed_hosts=tuple(allowed_host or ()),
        cors_origins=tuple(cors_origin or ()),
        fetch_from=tuple(fetch_from or ()),
        proxies=tuple(proxy or ()),
        connections=connections,
        queue=queue,
        batch=batch,
        rate=rate,
        photos=photos,
        rebuild_after=rebuild_after,
    )
    show.log(f"Loading {dataset} ...")
    with Bars() as bars:
        run(options, replace(settings, root=settings.root.resolve()), _show_ready, bars)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Exit without an error on a stop signal while the models are loading."""
    sys.exit(0)


def _only_dataset(settings: Settings) -> str:
    """The name of the only dataset: the one to serve if none is given."""
    from image_similarity.settings import Folders
    from image_similarity.store import dataset_names

    names = dataset_names(Folders(settings.root).database)
    if len(names) != 1:
        raise UsageError(f"choose the --dataset to serve: {', '.join(names) or 'none yet, run fit first'}")
    return names[0]


def _show_ready(address: str) -> None:
    from image_similarity.cli import printing as show

    show.log(f"Open {address} in a browser. Stop with Ctrl-C.")
