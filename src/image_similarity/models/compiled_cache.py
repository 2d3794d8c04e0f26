"""A cache of networks compiled by OpenVINO on this machine, so that a search need not compile one again.

The file's name holds a fingerprint of all that determines its content: the network's files, the record, the
configuration, OpenVINO's version and the processor. If any of them changes, the network is compiled again. A damaged
file is ignored. The files may be deleted at any time.
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
FOOTER = struct.Struct("<4sI")  # magic bytes, and the CRC-32 of all before: a damaged network could crash OpenVINO
MAGIC = b"isr1"


def load_or_compile(
    folder: Path, spec: ModelSpec, graph: Graph, configuration: Mapping[str, str], compiled: Callable[[], Any]
) -> Any:
    """Load a compiled network from its file in ``folder``; where there is none, call ``compiled`` and keep the result.

    A folder that cannot be written is no error: the next search then compiles again.
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
        if FOOTER.unpack(footer.tobytes()) != (MAGIC, zlib.crc32(network.data)):
            return None
        # OpenVINO reads from this memory as long as the network exists, so that it must not be Python's.
        tensor = openvino.Tensor(openvino.Type.u8, openvino.Shape([len(network)]))
        tensor.data[:] = network
        return core.import_model(tensor, "CPU", dict(configuration))
    except (OSError, ValueError, RuntimeError):  # missing, or from another version of OpenVINO
        return None


def _keep(path: Path, spec: ModelSpec, network: Any) -> None:
    exported = network.export_model().getvalue()
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(exported)
        file.write(FOOTER.pack(MAGIC, zlib.crc32(exported)))
    for other in path.parent.glob(f"{glob.escape(spec.key)}.*{ENDING}"):
        if other != path:
            with suppress(OSError):
                other.unlink()
