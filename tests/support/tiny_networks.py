"""Networks small enough to compute by hand, as ONNX files with the description that a user would write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import NodeProto, TensorProto, helper

OPSET, IR_VERSION = 17, 9
SIDE = 4  # pixels a side of the networks' input


def mean_network(file: Path, layout: str = "NCHW", kind: int = TensorProto.FLOAT) -> Path:
    """Two outputs: ``means``, the mean of each channel, and ``doubled``, twice that and twice as many."""
    axes, shape = ([2, 3], [None, 3, SIDE, SIDE]) if layout == "NCHW" else ([1, 2], [None, SIDE, SIDE, 3])
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["means"], axes=axes, keepdims=0),
        helper.make_node("Concat", ["means", "means"], ["twice"], axis=1),
        helper.make_node("Add", ["twice", "twice"], ["doubled"]),
    ]
    outputs = {"means": [None, 3], "doubled": [None, 6]}
    return save(file, nodes, {"image": (kind, shape)}, outputs)


def save(
    file: Path,
    nodes: Sequence[NodeProto],
    inputs: dict[str, tuple[int, list[int | None]]],
    outputs: dict[str, list[int | None]],
) -> Path:
    """Write any graph."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, file)
    return file


def describe(network: Path, **changes: Any) -> Path:
    """Write a network's description beside it; a change to None leaves a field out."""
    fields = {
        "name": "tiny",
        "file": network.name,
        "dimension": 3,
        "input_size": SIDE,
        "layout": "NCHW",
        "licence": "Apache-2.0",
        **changes,
    }
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items() if value is not None]
    path = network.with_suffix(".toml")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
