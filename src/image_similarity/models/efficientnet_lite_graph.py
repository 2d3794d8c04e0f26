"""The architecture of EfficientNet-Lite, as a graph of OpenVINO's own operations.

M. Tan and Q. Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019; without
squeeze-and-excitation, with ReLU6, and the first and last stages not deepened.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.models.openvino_runtime import import_openvino

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.models.tensor_pickle import Tensors

STAGES = (  # blocks, kernel, stride, expansion, of the first network
    (1, 3, 1, 1),
    (2, 3, 2, 6),
    (2, 5, 2, 6),
    (3, 3, 2, 6),
    (3, 5, 1, 6),
    (4, 5, 2, 6),
    (1, 3, 1, 6),
)
NOT_DEEPENED = (0, len(STAGES) - 1)
EPSILON = 1e-3  # of the batch normalisations


def features_graph(tensors: Tensors, depth: float) -> Any:
    """A network up to its features, as OpenVINO's model: ``(1, 3, h, w)`` to ``(1, 1280)``.

    Args:
        tensors: the weights by their names in the file.
        depth: how much deeper it is than the first network.
    """
    import_openvino()
    import openvino
    from openvino import opset13 as ops

    image = ops.parameter([1, 3, -1, -1], np.float32, name="image")
    layers = _Layers(tensors, ops)
    values = layers.convolution(image, "_conv_stem", "_bn0", stride=2)
    for index, (kernel_stride, expansion, is_repeat) in enumerate(_blocks(depth)):
        block, entry = f"_blocks.{index}", values
        if expansion > 1:
            values = layers.convolution(values, f"{block}._expand_conv", f"{block}._bn0")
        values = layers.depthwise(values, f"{block}._depthwise_conv", f"{block}._bn1", stride=kernel_stride)
        values = layers.convolution(values, f"{block}._project_conv", f"{block}._bn2", activation=False)
        if is_repeat:
            values = ops.add(values, entry)
    values = layers.convolution(values, "_conv_head", "_bn1")
    features = ops.reduce_mean(values, np.array([2, 3], np.int64), keep_dims=False)
    return openvino.Model([features], [image], "efficientnet-lite")


def _blocks(depth: float) -> list[tuple[int, int, bool]]:
    """Of each block: stride, expansion, and whether it repeats the one before, so that its input is added."""
    blocks = []
    for stage, (repeats, _, stride, expansion) in enumerate(STAGES):
        count = repeats if stage in NOT_DEEPENED else ceil(depth * repeats)
        blocks += [(stride if first else 1, expansion, not first) for first in [True, *[False] * (count - 1)]]
    return blocks


@dataclass(frozen=True, slots=True)
class _Layers:
    """Convolutions with their batch normalisation folded in."""

    tensors: Tensors
    ops: Any

    def convolution(self, values: Any, name: str, norm: str, *, stride: int = 1, activation: bool = True) -> Any:
        kernel, shift = self._folded(name, norm)
        values = self.ops.convolution(values, kernel, [stride] * 2, [0, 0], [0, 0], [1, 1], auto_pad="same_upper")
        return self._activated(values, shift, activation)

    def depthwise(self, values: Any, name: str, norm: str, *, stride: int) -> Any:
        kernel, shift = self._folded(name, norm)
        values = self.ops.group_convolution(
            values, kernel[:, None], [stride] * 2, [0, 0], [0, 0], [1, 1], auto_pad="same_upper"
        )
        return self._activated(values, shift, True)

    def _activated(self, values: Any, shift: NDArray[np.float32], activation: bool) -> Any:
        values = self.ops.add(values, shift[None, :, None, None])
        return self.ops.clamp(values, 0.0, 6.0) if activation else values

    def _folded(self, name: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        weight, bias, mean, variance = (
            self.tensors[f"{norm}.{which}"].astype(np.float64)
            for which in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + EPSILON)
        kernel = self.tensors[f"{name}.weight"] * scale[:, None, None, None]
        return kernel.astype(np.float32), (bias - mean * scale).astype(np.float32)
