"""Images a second of bare networks: ours in fp32, bf16 and int8, ONNX Runtime, PyTorch; and the share of the peak.

pip install -r bench/requirements.txt
python bench/embed.py --networks VGG Inception_Resnet MobileNetV2
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]
import harness  # noqa: E402

PARSER = harness.arguments(__doc__ or "")
PARSER.add_argument("--networks", nargs="+", default=["VGG", "Inception_Resnet", "MobileNetV2"])
PARSER.add_argument("--images", type=int, default=8, help="images a round; ten times as many for MobileNetV2")
PARSER.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="gpu: the fp32 file on the GPU beside them")
PARSER.add_argument("--without-torch", action="store_true", help="leave PyTorch out: it takes most of the time")
ASKED = PARSER.parse_args()
THREADS = harness.pin(ASKED.threads)  # before anything makes a pool of threads

import networks  # noqa: E402
import numpy as np  # noqa: E402

from image_similarity.models.int8 import quantise  # noqa: E402
from image_similarity.models.model import Model  # noqa: E402
from image_similarity.models.openvino_network import prepared_network  # noqa: E402
from image_similarity.models.precision import processor_has_bf16  # noqa: E402
from image_similarity.options import ModelChoice  # noqa: E402
from image_similarity.settings import Settings  # noqa: E402
from image_similarity.types import no_progress  # noqa: E402

SETTINGS = Settings(root=networks.MADE / "workspace")
BATCHES = (1, 8)
CALIBRATION = 32  # pictures of noise: here only the speed of int8 counts
# The dimensions that are summed over: of the weights, or of a matrix product's left side.
REDUCED = {"Convolution": slice(1, None), "GroupConvolution": slice(2, None), "MatMul": slice(-1, None)}
SIDE = 4096  # of the square matrices that measure the peak


def choice_of(name: str) -> ModelChoice | None:
    """How a user would ask for the network; None where its file is not at hand."""
    if name in networks.KERAS:
        return ModelChoice(name, *networks.weights(name))
    description = networks.SHARED / "mobilenetv2.toml"
    return ModelChoice(str(description)) if description.exists() else None


def ours(choice: ModelChoice, pixels: np.ndarray[Any, Any]) -> list[harness.Side]:
    """Our three precisions, through the same call that a fit makes."""
    part = harness.part_of(choice, SETTINGS)
    spec, folder = part.spec, SETTINGS.root / "int8" / part.spec.key
    if not (folder / "model.xml").exists():
        noise = np.random.default_rng(1).integers(0, 256, (CALIBRATION, *pixels.shape[1:]), np.uint8)
        quantise(spec, part.graph(), noise, folder, no_progress)
    sides = []
    for precision in ("fp32", "bf16", "int8"):
        (asked,) = Model(choice, (part,)).at(precision, [folder]).parts
        model = asked.load(SETTINGS)
        sides.append(harness.Side(f"ours {precision}", lambda model=model: model.embed(pixels), len(pixels)))
    if ASKED.device == "gpu" and part.graph().path.suffix == ".onnx":
        there = part.load(replace(SETTINGS, device="gpu"))
        sides.append(harness.Side("ours on the GPU", lambda: there.embed(pixels), len(pixels)))
    return sides


def onnxruntime_sides(file: Path, numbers: np.ndarray[Any, Any]) -> list[harness.Side]:
    """ONNX Runtime in fp32 with its own defaults, each batch a side."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    entry, leaving = session.get_inputs()[0].name, [session.get_outputs()[0].name]
    return [
        harness.Side(f"ONNX Runtime fp32, batch {batch}", _batched(numbers, batch, session.run, entry, leaving))
        for batch in BATCHES
    ]


def _batched(
    numbers: np.ndarray[Any, Any], batch: int, run: Callable[..., Any], entry: str, leaving: list[str]
) -> Callable[[], None]:
    def all_of_them() -> None:
        for start in range(0, len(numbers), batch):
            run(leaving, {entry: numbers[start : start + batch]})

    return all_of_them


def torch_sides(name: str, numbers: np.ndarray[Any, Any]) -> list[harness.Side]:
    """PyTorch as it is, fp32 and where the processor has it bf16, each batch a side.

    A processor without bf16 is made to pretend by PyTorch, at minutes an image: that says nothing of either.
    """
    import torch

    torch.set_num_threads(THREADS)
    sides = []
    kinds = {"float32": torch.float32} | ({"bfloat16": torch.bfloat16} if processor_has_bf16() else {})
    for policy, kind in kinds.items():
        network = networks.torch_network(name, policy)
        tensor = torch.from_numpy(numbers).to(kind)
        for batch in BATCHES:

            def run(network: Any = network, tensor: Any = tensor, batch: int = batch) -> None:
                with torch.inference_mode():
                    for start in range(0, len(tensor), batch):
                        network(tensor[start : start + batch])

            sides.append(harness.Side(f"PyTorch {policy}, batch {batch}", run))
    return sides


def gflop(choice: ModelChoice) -> float:
    """Floating point operations of one image, counted over the graph: two for each multiplication with a weight."""
    total = 0
    part = harness.part_of(choice, SETTINGS)
    for node in prepared_network(part.spec, part.graph()).get_ops():
        kind = node.get_type_name()
        if kind in REDUCED:
            reduced = list(node.input(0 if kind == "MatMul" else 1).get_shape())[REDUCED[kind]]
            total += 2 * int(np.prod(list(node.output(0).get_shape()))) * int(np.prod(reduced))
    return total / 1e9


def peaks(rounds: int) -> dict[str, float]:
    """GFLOP/s of a large square matrix product in each precision: as much as this processor gives to anyone."""
    import openvino
    from openvino import opset13 as op

    numbers = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    sides = []
    for precision in ("fp32", "bf16", "int8"):
        entry = op.parameter([SIDE, SIDE], np.float32)
        left, right = entry, op.constant(numbers)
        if precision == "int8":
            low, high = np.float32(-4), np.float32(4)
            left, right = (
                op.fake_quantize(x, low, high, low, high, levels) for x, levels in ((left, 256), (right, 255))
            )
        model = openvino.Model([op.matmul(left, right, False, True)], [entry], precision)
        hint = {"INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" else "bf16", "PERFORMANCE_HINT": "LATENCY"}
        request = openvino.Core().compile_model(model, "CPU", hint).create_infer_request()
        sides.append(harness.Side(precision, lambda request=request: request.infer({0: numbers}), 2 * SIDE**3 / 1e9))
    return {timing.side.name: timing.side.work / min(timing.seconds) for timing in harness.in_turn(sides, rounds)}


def compare(name: str, choice: ModelChoice, peak: dict[str, float]) -> tuple[str, dict[str, Any]]:
    """One network's table and its figures."""
    size, work = harness.part_of(choice, SETTINGS).spec.input.size, gflop(choice)
    count = ASKED.images * (1 if name in networks.KERAS else 10)
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    numbers = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / 255
    known = name in networks.KERAS
    sides = ours(choice, pixels)
    sides += onnxruntime_sides(networks.onnx_file(name) if known else Path(choice.name).with_suffix(".onnx"), numbers)
    sides += torch_sides(name, numbers) if known and not ASKED.without_torch else []
    timings = harness.in_turn([replace(side, work=count) for side in sides], ASKED.rounds)
    base = max(timing.rate for timing in timings if timing.side.name.startswith("ONNX"))
    rows, figures = [], {}
    for timing in timings:
        label = timing.side.name
        kind = "int8" if "int8" in label else "bf16" if "bf" in label else "fp32"
        share = timing.rate * work / peak[kind]
        rows.append([label, timing.rate, f"{timing.rate / base:.2f}", f"{share:.0%}"])
        figures[label] = {"seconds": timing.seconds, "rate": timing.rate, "ratio": timing.rate / base, "share": share}
    heading = f"{name}, {work:.1f} GFLOP an image"
    return heading + "\n\n" + harness.table(["side", "images/s", "of ONNX Runtime", "of the peak"], rows), figures


def main() -> None:
    """Measure the peak, then every network."""
    peak = peaks(ASKED.rounds)
    tables = [harness.table(["peak", "GFLOP/s"], [[kind, value] for kind, value in peak.items()])]
    results: dict[str, Any] = {"peak_gflops": peak, "threads": THREADS, "networks": {}}
    results["versions"] = harness.versions("openvino", "onnxruntime", "torch", "nncf", "keras")
    for name in ASKED.networks:
        choice = choice_of(name)
        if choice is None:
            sys.stderr.write(f"{name} is left out: there is no {networks.SHARED}\n")
            continue
        text, results["networks"][name] = compare(name, choice, peak)
        tables.append(text)
    harness.report("embed", results, tables)


if __name__ == "__main__":
    main()
