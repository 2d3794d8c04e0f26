"""Which device runs a network: the processor, by OpenVINO, or a GPU, by ONNX Runtime.

A GPU's numbers are not the processor's to the last bit. Both run one network on a few drawn images, once, and the
result is kept beside the networks. Where the vectors agree, a dataset's features may come from either; where they do
not, ``auto`` stays with the processor, and ``gpu`` makes features of its own.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import ModelError, OutputError
from image_similarity.models.network_files import companions, digest
from image_similarity.models.precision import key_at
from image_similarity.settings import CUDA, Folders
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.models.graph import Graph
    from image_similarity.models.model import Model, ModelPart
    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, ModelSpec

LEAST_COSINE = 0.999
DRAWN = 8  # images
SUFFIX = "gpu"  # of the key of features that do not agree with the processor's


def with_gpu_keys(model: Model, settings: Settings) -> Model:
    """A model to be run on the GPU: the features of networks that do not agree with the processor get other keys.

    Raises:
        ModelError: a network cannot be run there; the message says why and what to do.
        WeightsError: a network cannot be downloaded or verified.
    """
    return replace(model, parts=tuple(_with_gpu_key(part, settings) for part in model.parts))


def gpu_model(spec: ModelSpec, graph: Graph, settings: Settings, *, single: bool) -> EmbeddingModel | None:
    """The network on the GPU; None where the processor is to run it.

    ``auto`` takes the GPU for many images only: for one, the workspace keeps the network compiled for the processor.

    Raises:
        ModelError: the device must be the GPU, and the network cannot be run there.
    """
    if settings.device == "cpu" or (settings.device == "auto" and (single or not _may_have_gpu(settings))):
        return None
    from image_similarity.models.onnxruntime_network import OnnxRuntimeModel

    try:
        if settings.device == "auto" and agreement(spec, graph, settings) < LEAST_COSINE:
            return None
        return OnnxRuntimeModel(spec, graph, settings.gpu_provider)
    except ModelError:
        if settings.device == "gpu":
            raise
        return None


def agreement(spec: ModelSpec, graph: Graph, settings: Settings) -> float:
    """The least cosine of the GPU's and the processor's vectors of the same images, measured once for each network.

    Raises:
        ModelError: the network cannot be run on one of them.
    """
    path = Folders(settings.root).models / SUFFIX / f"{spec.name.replace(':', '-')}.json"
    fingerprint = _fingerprint(spec, graph, settings)
    with suppress(OSError, ValueError):
        record = read_sealed(path)
        if record.get("fingerprint") == fingerprint:
            return float(record["cosine"])
    from image_similarity.models.onnxruntime_network import OnnxRuntimeModel
    from image_similarity.models.openvino_network import OpenVinoModel

    images, exact = _drawn(spec.input.size), replace(spec, precision="fp32")
    there = OnnxRuntimeModel(exact, graph, settings.gpu_provider).embed(images)
    here = OpenVinoModel(exact, graph).embed(images)
    cosine = float((there * here).sum(axis=1).min())
    with suppress(OutputError):  # a workspace that can only be read: it is measured again
        write_sealed(path, {"fingerprint": fingerprint, "cosine": cosine})
    return cosine


def _with_gpu_key(part: ModelPart, settings: Settings) -> ModelPart:
    if not part.is_network:
        return part
    if part.int8 is not None:
        raise ModelError(f"the int8 network of {part.spec.name} runs on the processor only: leave `device` gpu out")
    if agreement(part.definition.spec, part.graph(), settings) >= LEAST_COSINE:
        return part
    return replace(part, spec=replace(part.spec, key=key_at(part.spec.key, SUFFIX)))


def _may_have_gpu(settings: Settings) -> bool:
    """Whether ONNX Runtime may have the provider: looked up without importing it, as most machines have no GPU."""
    found = find_spec("onnxruntime")
    if found is None or settings.gpu_provider != CUDA:
        return found is not None
    return any(any(Path(folder).glob("capi/*providers_cuda*")) for folder in found.submodule_search_locations or ())


def _fingerprint(spec: ModelSpec, graph: Graph, settings: Settings) -> str:
    """Of all that decides the vectors: the network, how it is fed, and what runs it."""
    runtimes = [_version(name) for name in ("openvino", "onnxruntime", "onnxruntime-gpu")]
    files = [digest(graph.path), companions(graph.path)]
    feeding = {name: value for name, value in asdict(graph).items() if name != "path"}
    deciding = [files, feeding, spec.input.size, settings.gpu_provider, runtimes, _gpus()]
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _gpus() -> list[str]:
    """The names of the GPUs, where NVIDIA's driver on Linux shows them."""
    models = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with suppress(OSError):
            models += [line for line in file.read_text().splitlines() if line.startswith("Model:")]
    return models


def _drawn(size: int) -> NDArray[np.uint8]:
    """Images as catalogues have them, coarse shapes with fine noise: ``(DRAWN, size, size, 3)``."""
    import numpy as np

    generator = np.random.default_rng(0)
    fields = generator.integers(0, 256, (DRAWN, 7, 7, 3))
    places = np.arange(size) * 7 // size
    shapes = fields[:, places][:, :, places]
    return np.clip(shapes + generator.normal(0, 12, shapes.shape), 0, 255).astype(np.uint8)
