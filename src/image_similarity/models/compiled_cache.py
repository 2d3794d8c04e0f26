"""A network as OpenVINO has made it ready on this machine, kept as a file: a search need not compile it again.

The file's name holds a fingerprint of all that went into it: the network's files, the record, the configuration,
OpenVINO's version and the processor. Where any of them has changed there is no such file, and a damaged one is passed
over. It may be thrown away.
"""

from __future__ import annotations

import glob
import hashlib
import json
import struct
import zlib
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import OutputError
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from image_similarity.models.graph import Graph
    from image_similarity.types import ModelSpec

ENDING = ".ready"
FOOTER = struct.Struct("<4sI")  # a mark, and the CRC-32 of all before: a damaged network could crash OpenVINO
MARK = b"isr1"


def load_or_compile(
    folder: Path, spec: ModelSpec, graph: Graph, configuration: Mapping[str, str], compiled: Callable[[], Any]
) -> Any:
    """A network ready to run, from its file in ``folder`` or else from ``compiled``, and then kept there.

    A folder that cannot be written is no error: the next search compiles again.
    """
    core = import_openvino().Core()
    path = folder / f"{spec.key}.{_fingerprint(core, spec, graph, configuration)}{ENDING}"
    network = _read(core, path, configuration)
    if network is None:
        network = compiled()
        with suppress(OutputError):
            _keep(path, spec, network)
    return network


def _fingerprint(core: Any, spec: ModelSpec, graph: Graph, configuration: Mapping[str, str]) -> str:
    # Weights may lie beside the graph: model.bin of model.xml, model.onnx.data of model.onnx.
    files = sorted(graph.path.parent.glob(glob.escape(graph.path.stem) + "*"))
    status = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    processor = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    version = import_openvino().get_version()
    deciding = [asdict(spec), asdict(graph), status, dict(configuration), processor, version]
    return hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _read(core: Any, path: Path, configuration: Mapping[str, str]) -> Any:
    openvino = import_openvino()
    try:
        stored = np.fromfile(path, np.uint8)
        if len(stored) <= FOOTER.size:
            return None
        network, footer = stored[: -FOOTER.size], stored[-FOOTER.size :]
        if FOOTER.unpack(footer.tobytes()) != (MARK, zlib.crc32(network.data)):
            return None
        # OpenVINO reads from it for as long as the network lives: the memory has to be its own, not Python's.
        tensor = openvino.Tensor(openvino.Type.u8, openvino.Shape([len(network)]))
        tensor.data[:] = network
        return core.import_model(tensor, "CPU", dict(configuration))
    except (OSError, ValueError, RuntimeError):  # not there, of another OpenVINO
        return None


def _keep(path: Path, spec: ModelSpec, network: Any) -> None:
    exported = network.export_model().getvalue()
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(exported)
        file.write(FOOTER.pack(MARK, zlib.crc32(exported)))
    for other in path.parent.glob(f"{glob.escape(spec.key)}.*{ENDING}"):
        if other != path:
            with suppress(OSError):
                other.unlink()
