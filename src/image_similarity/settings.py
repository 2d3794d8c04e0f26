"""Paths, addresses and limits: one frozen record; :meth:`Settings.from_environment` reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from image_similarity.errors import UsageError

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset

ENVIRONMENT = {
    "root": "IMAGE_SIMILARITY_WORKSPACE",
    "image_address": "IMAGE_SIMILARITY_IMAGE_ADDRESS",
    "weights_address": "IMAGE_SIMILARITY_WEIGHTS_ADDRESS",
    "hub_address": "IMAGE_SIMILARITY_HUB_ADDRESS",
    "models": "IMAGE_SIMILARITY_MODELS",
    "s3_endpoint": "IMAGE_SIMILARITY_S3_ENDPOINT",
    "max_pixels": "IMAGE_SIMILARITY_MAX_PIXELS",
    "service_max_pixels": "IMAGE_SIMILARITY_SERVICE_MAX_PIXELS",
    "precision": "IMAGE_SIMILARITY_PRECISION",
    "device": "IMAGE_SIMILARITY_DEVICE",
    "gpu_provider": "IMAGE_SIMILARITY_GPU_PROVIDER",
    "max_removal": "IMAGE_SIMILARITY_MAX_REMOVAL",
    "lock_timeout": "IMAGE_SIMILARITY_LOCK_TIMEOUT",
}
"""The environment variable of each setting that has one."""
MOST_FILE_BYTES = 200_000_000
LONGEST_WAIT = 86_400  # seconds
Device = Literal["auto", "cpu", "gpu"]
"""What runs networks. ``auto``: a GPU if there is one, for many images; else the processor."""
CUDA = "CUDAExecutionProvider"
PRECISIONS = ("auto", "fp32", "bf16")  # not int8: it is calibrated and checked, so it is requested explicitly


@dataclass(frozen=True, slots=True)
class TableLimits:
    """Limits of a table's size once unpacked: a compressed kilobyte can expand to gigabytes."""

    unpacked_bytes: int = 500_000_000_000
    rows: int = 1_000_000_000
    columns: int = 10_000
    cell_bytes: int = 50_000_000
    """Of one cell: a text, or an image inside the table."""
    document_bytes: int = 64_000_000
    """Of one row of a JSON document or of an XML feed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a workspace: paths, addresses and limits. The defaults suit a laptop.

    Attributes:
        root: the workspace's directory.
        image_address: URL of an image of a department's listing; ``{pixl_id}`` is replaced.
        weights_address: URL of the weights of Keras's networks; a mirror has the same folders below it.
        hub_address: URL of a model hub in place of Hugging Face's, or of a mirror; None: as ``HF_ENDPOINT`` says.
        models: a folder of pulled models, written by ``Workspace.pull_models(to=...)``; searched before the
            workspace's own.
        s3_endpoint: URL of an S3-compatible server; None: as the standard AWS settings say.
        max_pixels: an image with more pixels is rejected before it is decoded.
        service_max_pixels: the same limit for the service, whose images come from clients; at most ``max_pixels``.
        max_download_bytes: a download of more bytes is aborted.
        tables: limits of a catalogue's tables; the service's imports have lower ones.
        max_file_bytes: an image file of more bytes is not read.
        strict: reject every truncated image file, even if little is missing, instead of repairing it.
        lock_timeout: seconds to wait while another process writes to the feature store.
        precision: the precision of a dataset's first features if none is requested: ``fp32``, ``bf16``, or ``auto``:
            bf16 if the processor supports it, else fp32.
        device: what runs networks: ``cpu``, ``gpu``, or ``auto``: the GPU for many images, if there is one and ONNX
            Runtime for it; else the processor.
        gpu_provider: ONNX Runtime's execution provider for the GPU.
        max_removal: a fit or an extract stops if it would remove a larger share of a dataset's products, and at least
            ten.
        config_file: the first version's file with AWS credentials; parsed, never executed.

    >>> from image_similarity import Settings, Workspace
    >>> workspace = Workspace(settings=Settings(max_pixels=50_000_000))
    """

    root: Path = Path("data")
    image_address: str = "https://contents.mediadecathlon.com/p{pixl_id}/"
    weights_address: str = "https://storage.googleapis.com/tensorflow/keras-applications/"
    hub_address: str | None = None
    models: Path | None = None
    s3_endpoint: str | None = None
    max_pixels: int = 100_000_000
    service_max_pixels: int = 25_000_000
    max_download_bytes: int = 50_000_000
    tables: TableLimits = TableLimits()
    max_file_bytes: int = MOST_FILE_BYTES
    strict: bool = False
    lock_timeout: float = 30.0
    precision: str = "auto"
    device: Device = "auto"
    gpu_provider: str = CUDA
    max_removal: float = 0.1
    config_file: Path = Path("config.py")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **changes: object) -> Settings:
        """Settings from the variables of :data:`ENVIRONMENT`, overridden by those ``changes`` that are not None.

        Raises:
            UsageError: a variable or a change has an invalid value.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {
            name: environment[variable] for name, variable in ENVIRONMENT.items() if environment.get(variable)
        }
        values |= {name: value for name, value in changes.items() if value is not None}
        for folder in ("root", "models"):
            if folder in values:
                values[folder] = Path(str(values[folder]))
        for name in ("max_pixels", "service_max_pixels"):
            if name in values:
                try:
                    values[name] = int(str(values[name]))
                except ValueError:
                    raise UsageError(f"{ENVIRONMENT[name]} must be a whole number of pixels") from None
        if "max_removal" in values:
            values["max_removal"] = _share(str(values["max_removal"]), ENVIRONMENT["max_removal"])
        if "lock_timeout" in values:
            values["lock_timeout"] = _seconds(str(values["lock_timeout"]), ENVIRONMENT["lock_timeout"])
        if values.get("precision", "auto") not in PRECISIONS:
            raise UsageError(f"{ENVIRONMENT['precision']} must be one of {', '.join(PRECISIONS)}")
        if values.get("device", "auto") not in get_args(Device):
            raise UsageError(f"{ENVIRONMENT['device']} must be one of {', '.join(get_args(Device))}")
        return replace(cls(), **values)  # type: ignore[arg-type]


def _share(given: str, name: str) -> float:
    with suppress(ValueError):
        if 0 <= (share := float(given)) <= 1:
            return share
    raise UsageError(f"{name} must be a share between 0 and 1, such as 0.1")


def _seconds(given: str, name: str) -> float:
    with suppress(ValueError):
        if 0 <= (seconds := float(given)) <= LONGEST_WAIT:
            return seconds
    raise UsageError(f"{name} must be a number of seconds from 0 to {LONGEST_WAIT}, such as 30")


@dataclass(frozen=True, slots=True)
class Folders:
    """The directories below the workspace's root, named as in the first version."""

    root: Path

    def images(self, dataset: Dataset) -> Path:
        """The folder of a dataset's downloaded images."""
        return self.root / "dataset" / dataset.name

    @property
    def database(self) -> Path:
        """The file of the feature store."""
        return self.root / "database" / "features.db"

    @property
    def index(self) -> Path:
        """The folder of the indexes, with a subfolder for each dataset."""
        return self.root / "index"

    @property
    def trained_models(self) -> Path:
        """The folder of the recommendations, for other programs."""
        return self.root / "trained_models"

    @property
    def models(self) -> Path:
        """The folder of downloaded weights and of the networks built from them."""
        return self.root / "models"


def model_folders(settings: Settings) -> tuple[Path, ...]:
    """The folders searched for pulled models: ``settings.models`` if given, then the workspace's own."""
    own = Folders(settings.root).models
    return (own,) if settings.models is None else (settings.models, own)
