"""Run a network on the processor by OpenVINO, with the preprocessing compiled into the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import ModelError
from image_similarity.models.compiled_cache import load_or_compile
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.models.unit_vectors import unit_length

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.models.graph import Graph
    from image_similarity.types import ModelSpec


NOT_SCALED = (255.0, 255.0, 255.0)  # the std of a network that takes 0..1, a description's default
AHEAD = 2
"""Requests per parallel inference: the next image is queued before Python gets around to providing one."""


class OpenVinoModel:
    """An :class:`~image_similarity.types.EmbeddingModel` over any file that OpenVINO reads.

    One image per inference, with as many inferences in parallel as is optimal for the processor: as fast as batches on
    processors, and an image's vector never depends on its neighbours in a batch, so that an interrupted run and an
    unbroken one store the same bytes.

    A record of bf16 or int8 multiplies in bf16 where the processor supports it, and in fp32 where it does not: with
    more precision, never with less, so that photos embedded on one machine match what was fitted on another.
    """

    def __init__(self, spec: ModelSpec, graph: Graph, cache: Path | None = None) -> None:
        """``cache``: compile for low latency, and keep the compiled network in that folder; None: for throughput."""
        self.spec = spec
        if cache is None:
            self._compiled = _compile(spec, graph, configuration(spec, "THROUGHPUT"))
        else:
            latency = configuration(spec, "LATENCY")
            self._compiled = load_or_compile(cache, spec, graph, latency, lambda: _compile(spec, graph, latency))
        self._at_once = AHEAD * int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB ``(n, size, size, 3)`` to unit vectors ``(n, dimension)``."""
        vectors = np.empty((len(pixels), self.spec.dimension), np.float32)
        # A ring of requests, because callbacks could deadlock: OpenVINO's threads would wait for Python's lock, while
        # the thread that frees the model holds it and waits for them.
        requests = [self._compiled.create_infer_request() for _ in range(min(self._at_once, len(pixels)))]
        for row, image in enumerate(pixels):
            request = requests[row % len(requests)]
            if row >= len(requests):
                _take(request, vectors[row - len(requests)])
            request.start_async({0: image[None]})
        for row in range(len(pixels) - len(requests), len(pixels)):
            _take(requests[row % len(requests)], vectors[row])
        return unit_length(vectors, self.spec.name)


def _take(request: Any, vector: NDArray[np.float32]) -> None:
    request.wait()
    vector[:] = request.get_output_tensor(0).data.reshape(-1)


def computes_bf16() -> bool:
    """Whether this processor supports bf16, so that OpenVINO need not emulate it."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def configuration(spec: ModelSpec, hint: str) -> dict[str, str]:
    """OpenVINO's configuration: the performance hint, ``THROUGHPUT`` or ``LATENCY``, and the precision."""
    precision = "bf16" if spec.precision in ("bf16", "int8") and computes_bf16() else "f32"
    return {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}


def prepared_network(spec: ModelSpec, graph: Graph) -> Any:
    """A network as OpenVINO's model, with the preprocessing in it: bytes ``(1, size, size, 3)`` in, one output.

    Raises:
        ModelError: the file is no network, or does not match its record.
    """
    try:
        return _read(import_openvino().Core(), spec, graph)
    except RuntimeError as error:
        raise ModelError(f"{graph.path} cannot be loaded as {spec.name}: {first_line(error)}") from error


def _read(core: Any, spec: ModelSpec, graph: Graph) -> Any:
    model = core.read_model(graph.path)
    if graph.prepared:
        return model
    if len(model.inputs) == 1:
        _fix_shape(model, spec, graph)
    return _with_preprocessing(with_one_output(model, graph), spec, graph)


def _compile(spec: ModelSpec, graph: Graph, settings: dict[str, str]) -> Any:
    core = import_openvino().Core()
    try:
        compiled = core.compile_model(_read(core, spec, graph), "CPU", settings)
    except RuntimeError as error:
        raise ModelError(f"{graph.path} cannot be loaded as {spec.name}: {first_line(error)}") from error
    shape = compiled.output(0).get_partial_shape()
    if len(compiled.inputs) != 1 or shape.is_dynamic:
        raise ModelError(
            f"{graph.path} cannot be run as {spec.name}: it takes {len(compiled.inputs)} inputs and gives numbers of "
            f"shape {shape}; one image in and a fixed shape out are needed"
        )
    size = int(np.prod(shape.to_shape()))
    if size != spec.dimension:
        raise ModelError(f"{graph.path} gives {size} numbers an image, its record says {spec.dimension}")
    return compiled


def _fix_shape(model: Any, spec: ModelSpec, graph: Graph) -> None:
    """Set the input shape where the file leaves it open or allows others. The compiler reports a mismatch."""
    import openvino

    size = spec.input.size
    shape = openvino.PartialShape([1, 3, size, size] if graph.layout == "NCHW" else [1, size, size, 3])
    stated = model.inputs[0].get_partial_shape()
    if graph.any_size or (stated.is_dynamic and stated.compatible(shape)):
        model.reshape(shape)


def with_one_output(model: Any, graph: Graph) -> Any:
    """The model with the graph's output only, so that nothing is computed for others."""
    import openvino

    names = [sorted(output.get_names()) for output in model.outputs]
    if graph.output is None:
        chosen = model.outputs[0]
    else:
        matching = [output for output, known in zip(model.outputs, names, strict=True) if graph.output in known]
        if not matching:
            raise ModelError(f"{graph.path} has no output {graph.output!r}: it has {names}")
        chosen = matching[0]
    result = chosen.node.input_value(0)  # the value, without its output node
    if graph.first_token:
        from openvino import opset13 as ops

        index, axis = (ops.constant(np.array(number, np.int64)) for number in (0, 1))
        result = ops.gather(result, index, axis).output(0)
    return openvino.Model([result], model.get_parameters(), model.friendly_name)


def _with_preprocessing(model: Any, spec: ModelSpec, graph: Graph) -> Any:
    import openvino
    from openvino.preprocess import ColorFormat, PrePostProcessor

    takes_bytes = model.inputs[0].get_element_type() == openvino.Type.u8
    if takes_bytes and (any(graph.mean) or graph.std != NOT_SCALED):
        raise ModelError(f"{graph.path} takes bytes, not numbers: {spec.name} can have no mean and no std")
    steps = PrePostProcessor(model)
    entry = steps.input(0)
    entry.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC")).set_color_format(
        ColorFormat.RGB
    ).set_shape([1, spec.input.size, spec.input.size, 3])
    entry.model().set_layout(openvino.Layout(graph.layout))
    if graph.reverse_channels:
        entry.preprocess().convert_color(ColorFormat.BGR)
    if not takes_bytes:  # a quantised network takes the bytes themselves
        entry.preprocess().convert_element_type(openvino.Type.f32).mean(list(graph.mean)).scale(list(graph.std))
    steps.output(0).tensor().set_element_type(openvino.Type.f32)
    return steps.build()


def first_line(error: Exception) -> str:
    """The essential line of OpenVINO's error message, which is its last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
