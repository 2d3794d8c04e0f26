"""Run an ONNX network by ONNX Runtime, as on a GPU, with the preprocessing in numpy."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import ModelError
from image_similarity.models.openvino_network import first_line
from image_similarity.models.unit_vectors import unit_length
from image_similarity.settings import CUDA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.models.graph import Graph
    from image_similarity.types import ModelSpec

BATCH = 16  # as many as fit and the service embed together
KINDS: dict[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
INSTALL = (
    "`device` gpu needs ONNX Runtime for NVIDIA GPUs: pip uninstall onnxruntime, then pip install "
    "'image-similarity[gpu]', with NVIDIA's driver, CUDA and cuDNN"
)


class OnnxRuntimeModel:
    """An :class:`~image_similarity.types.EmbeddingModel` over an ONNX file.

    Every inference has the same number of images, the last one filled up with black, so that the same kernels compute
    an image's vector whichever images are beside it.
    """

    def __init__(self, spec: ModelSpec, graph: Graph, provider: str) -> None:
        """``provider``: the execution provider that must run it; what it does not support runs on the processor.

        Raises:
            ModelError: ONNX Runtime or the provider is missing, no device answers, or the file cannot be run.
        """
        self.spec, self._graph = spec, graph
        self._session = _session(spec, graph, provider)
        entries, outputs = self._session.get_inputs(), [output.name for output in self._session.get_outputs()]
        self._entry, self._output = entries[0].name, graph.output or outputs[0]
        kind = KINDS.get(entries[0].type)
        if len(entries) != 1 or self._output not in outputs or kind is None:
            inputs = [f"{entry.name} {entry.type}" for entry in entries]
            raise ModelError(f"{graph.path} cannot be run as {spec.name}: it takes {inputs} and gives {outputs}")
        self._kind = kind
        stated = entries[0].shape[0]
        self._batch = stated if isinstance(stated, int) else BATCH
        size = spec.input.size
        found = self._run(np.zeros((self._batch, size, size, 3), np.uint8)).shape[1]
        if found != spec.dimension:
            raise ModelError(f"{graph.path} gives {found} numbers an image, its record says {spec.dimension}")

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB ``(n, size, size, 3)`` to unit vectors ``(n, dimension)``."""
        vectors = np.empty((len(pixels), self.spec.dimension), np.float32)
        for start in range(0, len(pixels), self._batch):
            images = pixels[start : start + self._batch]
            missing = self._batch - len(images)
            whole = np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.uint8)]) if missing else images
            vectors[start : start + len(images)] = self._run(whole)[: len(images)]
        return unit_length(vectors, self.spec.name)

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One inference: ``(batch, size, size, 3)`` to ``(batch, dimension)``."""
        try:
            (rows,) = self._session.run([self._output], {self._entry: self._prepared(pixels)})
        except Exception as error:  # ONNX Runtime's errors derive from nothing else
            raise ModelError(f"{self._graph.path} cannot be run as {self.spec.name}: {first_line(error)}") from error
        rows = rows[:, 0] if self._graph.first_token else rows
        return np.asarray(rows, np.float32).reshape(len(pixels), -1)

    def _prepared(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """The network's input: ``(pixel - mean) / std`` in its layout and order of channels."""
        channels = pixels[..., ::-1] if self._graph.reverse_channels else pixels
        if self._kind is np.uint8:
            numbers: NDArray[Any] = channels
        else:
            mean, std = (np.array(values, np.float32) for values in (self._graph.mean, self._graph.std))
            numbers = (channels - mean) / std
        planes = numbers.transpose(0, 3, 1, 2) if self._graph.layout == "NCHW" else numbers
        return np.ascontiguousarray(planes, self._kind)


def _session(spec: ModelSpec, graph: Graph, provider: str) -> Any:
    if graph.path.suffix.lower() != ".onnx":
        raise ModelError(f"{spec.name} is no ONNX file and runs on the processor only: leave `device` gpu out")
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise ModelError(INSTALL) from error
    if provider not in onnxruntime.get_available_providers():
        raise ModelError(f"{INSTALL} (this ONNX Runtime has {', '.join(onnxruntime.get_available_providers())})")
    if provider == CUDA and find_spec("nvidia") is not None:  # CUDA and cuDNN as packages, which it does not look for
        onnxruntime.preload_dlls(msvc=False)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised, or `auto` goes on without it
    try:
        session = onnxruntime.InferenceSession(graph.path, options, providers=[provider], enable_fallback=0)
    except Exception as error:  # as above
        raise ModelError(f"{graph.path} cannot be loaded as {spec.name}: {first_line(error)}") from error
    if provider not in session.get_providers():  # it has gone on without it
        raise ModelError(f"no device answers {provider}: check the driver, CUDA and cuDNN, or leave `device` gpu out")
    return session
