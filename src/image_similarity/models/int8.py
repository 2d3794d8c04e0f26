"""Quantise a network to int8: calibrated once on images of the catalogue itself, and checked by a digest when loaded.

A folder holds ``model.xml`` and ``model.bin`` (OpenVINO IR that takes bytes) and ``record.json``: their digest and how
they were made.
"""

from __future__ import annotations

import hashlib
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import ModelError, OutputError
from image_similarity.models.graph import Graph
from image_similarity.models.openvino_network import prepared_network
from image_similarity.util.files import replacing_folder
from image_similarity.util.own_process import OwnProcessError, in_own_process, run_module
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from image_similarity.types import ModelSpec, Progress

NETWORK, WEIGHTS, RECORD = "model.xml", "model.bin", "record.json"
IMAGES, SAVING = "images.npy", "saving"
NO_TELEMETRY = {"NNCF_CI": "1"}
DIGITS = 8  # of the digest, in the key of the features
# Means, normalisation over channels, the preprocessing: int8 would save little time there and cost much precision.
NOT_QUANTISED = ("AvgPool", "Concat", "Divide", "LRN", "Multiply", "Power", "ReduceMean", "Subtract")
INSTALL = "`precision` int8 needs NNCF: pip install 'image-similarity[int8]'"


def digest_of(folder: Path) -> str:
    """The digits that identify an int8 network in the key of its features; reads only the record.

    Raises:
        ModelError: the record cannot be read.
    """
    return _recorded_digest(folder)[:DIGITS]


def quantised_graph(folder: Path) -> Graph:
    """The graph of the int8 network in a folder.

    Raises:
        ModelError: its files do not match its record.
    """
    if _digest(folder) != _recorded_digest(folder):
        raise ModelError(f"{folder} does not hold the network that its {RECORD} names. Remove the folder and fit again")
    return Graph(folder / NETWORK, "NHWC", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), prepared=True)


def quantise(spec: ModelSpec, graph: Graph, pixels: NDArray[np.uint8], folder: Path, progress: Progress) -> None:
    """Quantise a network, calibrated on some images, and write it into a folder.

    Args:
        spec: its record.
        graph: the network at fp32.
        pixels: the images, ``(n, size, size, 3)``.
        folder: replaced as a whole.
        progress: receives the number of images used.

    Raises:
        ModelError: NNCF is not installed, or the network cannot be quantised.
        OutputError: the folder cannot be written.
    """
    if find_spec("nncf") is None:
        raise ModelError(INSTALL)
    network, stage, last_line = prepared_network(spec, graph), f"calibrate {spec.name}", ""

    def on_line(line: str) -> None:
        nonlocal last_line
        last_line = line
        if line.isdigit():
            progress(stage, min(int(line), len(pixels)), len(pixels))

    try:
        with replacing_folder(folder) as temporary, TemporaryDirectory(dir=temporary) as given:
            _save(network, Path(given, NETWORK))
            np.save(Path(given, IMAGES), pixels)
            version = run_module(__name__, [given, str(temporary)], NO_TELEMETRY, on_line)
            record = {"sha256": _digest(temporary), "images": len(pixels), "nncf": version, "of": spec.key}
            write_sealed(temporary / RECORD, record)
    except OwnProcessError as error:
        if last_line == SAVING:
            raise OutputError(f"cannot write {folder}: {error}") from error
        raise ModelError(f"{spec.name} cannot be quantised: {error}") from error


def _save(network: Any, path: Path) -> None:
    import openvino

    try:
        openvino.save_model(network, path, compress_to_fp16=False)
    except RuntimeError as error:  # a full disk
        raise OutputError(f"cannot write {path}: {error}") from error


def _work(arguments: Sequence[str], send: Callable[[str], None]) -> str:
    """Quantise, in a process of its own: NNCF prints, sets up logging, and sends telemetry."""
    import nncf
    import openvino
    from openvino._offline_transformations import apply_moc_transformations

    given, target = map(Path, arguments)
    network, pixels = openvino.Core().read_model(given / NETWORK), np.load(given / IMAGES, mmap_mode="r")
    # What the processor's plugin would do first: fold constants, infer shapes. NNCF makes better choices after it.
    apply_moc_transformations(network, cf=True)
    seen = 0

    def as_batch(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        nonlocal seen
        seen += 1
        send(str(seen))
        return image[None]

    quantised = nncf.quantize(
        network,
        nncf.Dataset(list(pixels), as_batch),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pixels),
        fast_bias_correction=True,
        ignored_scope=nncf.IgnoredScope(types=list(NOT_QUANTISED), validate=False),
    )
    send(SAVING)
    openvino.save_model(quantised, target / NETWORK, compress_to_fp16=False)
    return str(nncf.__version__)


def _recorded_digest(folder: Path) -> str:
    path = folder / RECORD
    try:
        digest = read_sealed(path)["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: remove {folder} and fit again") from error
    return str(digest)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (NETWORK, WEIGHTS):
        try:
            with (folder / name).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{folder / name}: {error.strerror or error}. Remove {folder} and fit again") from error
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(in_own_process(_work))
