"""A network in int8: calibrated once on pictures of the catalogue itself, kept, and never trusted unchecked.

A folder holds ``model.xml`` and ``model.bin`` (OpenVINO IR that takes bytes) and ``record.json``: their digest and how
they were made.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from image_similarity.errors import ModelError, OutputError
from image_similarity.models.graph import Graph
from image_similarity.models.openvino_network import prepared_network
from image_similarity.util.files import replacing_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.types import ModelSpec, Progress

NETWORK, NUMBERS, RECORD = "model.xml", "model.bin", "record.json"
DIGITS = 8  # of the digest, in the key of the features
# What little time goes into and much precision comes from: means, normalisation over channels, the preprocessing.
KEPT_FINE = ("AvgPool", "Concat", "Divide", "LRN", "Multiply", "Power", "ReduceMean", "Subtract")
INSTALL = "`precision` int8 needs NNCF: pip install 'image-similarity[int8]'"


def digest_of(folder: Path) -> str:
    """The digits that stand for an int8 network in the key of its features; only the record is read.

    Raises:
        ModelError: the record cannot be read.
    """
    return _recorded(folder)[:DIGITS]


def quantised_graph(folder: Path) -> Graph:
    """The int8 network of a folder, ready for the engine.

    Raises:
        ModelError: its files are not those that the record names.
    """
    if _digest(folder) != _recorded(folder):
        raise ModelError(f"{folder} does not hold the network that its {RECORD} names. Remove the folder and fit again")
    return Graph(folder / NETWORK, "NHWC", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), prepared=True)


def quantise(spec: ModelSpec, graph: Graph, pixels: NDArray[np.uint8], folder: Path, progress: Progress) -> None:
    """Quantise a network by what it makes of some pictures, and keep it; what was in the folder goes.

    Args:
        spec: its record.
        graph: the network at fp32.
        pixels: the pictures, ``(n, size, size, 3)``.
        folder: where to keep it; whole or not there.
        progress: told of each picture.

    Raises:
        ModelError: NNCF is not installed, or the network cannot be quantised.
        OutputError: the folder cannot be written.
    """
    nncf = _nncf()
    import openvino
    from openvino._offline_transformations import apply_moc_transformations

    network = prepared_network(spec, graph)
    # What the processor's plugin would do first: constants folded, shapes known. NNCF makes better choices after it.
    apply_moc_transformations(network, cf=True)
    stage, seen, terminal = f"calibrate {spec.name}", 0, sys.stderr

    def taken(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        nonlocal seen
        seen += 1
        with redirect_stderr(terminal):
            progress(stage, min(seen, len(pixels)), len(pixels))
        return picture[None]

    try:
        with _silence():
            quantised = nncf.quantize(
                network,
                nncf.Dataset(list(pixels), taken),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(pixels),
                fast_bias_correction=True,
                ignored_scope=nncf.IgnoredScope(types=list(KEPT_FINE), validate=False),
            )
    except (RuntimeError, nncf.errors.InternalError, nncf.errors.ValidationError) as error:
        raise ModelError(f"{spec.name} cannot be quantised: {str(error).strip().splitlines()[-1]}") from error
    try:
        with replacing_folder(folder) as temporary:
            openvino.save_model(quantised, temporary / NETWORK, compress_to_fp16=False)
            record = {"sha256": _digest(temporary), "images": len(pixels), "nncf": nncf.__version__, "of": spec.key}
            (temporary / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    except RuntimeError as error:  # OpenVINO's own way to say that a disk is full
        raise OutputError(f"cannot write {folder}: {error}") from error


def _nncf() -> Any:
    """NNCF, without the messages that it would send to its makers on every use."""
    before = os.environ.get("NNCF_CI")
    os.environ["NNCF_CI"] = "1"  # read when it is imported
    try:
        with _silence():
            import nncf
    except ImportError as error:
        raise ModelError(INSTALL) from error
    finally:
        if before is None:
            del os.environ["NNCF_CI"]
        else:
            os.environ["NNCF_CI"] = before
    return nncf


def _recorded(folder: Path) -> str:
    path = folder / RECORD
    try:
        digest = json.loads(path.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: remove {folder} and fit again") from error
    return str(digest)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (NETWORK, NUMBERS):
        try:
            with (folder / name).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{folder / name}: {error.strerror or error}. Remove {folder} and fit again") from error
    return digest.hexdigest()


@contextmanager
def _silence() -> Iterator[None]:
    """NNCF prints bars, warnings and advice; our own progress says what there is to say."""
    logger: Any = logging.getLogger("nncf")
    level, handlers = logger.level, list(logger.handlers)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        logger.handlers = handlers
