"""The first version's two networks: Keras' own graphs and weights, exported once, then run by OpenVINO alone."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import ModelError, WeightsError
from image_similarity.models.definition import Definition
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.models.weights import WeightsFile, check_digest, fetch, verify
from image_similarity.settings import Folders, model_folders
from image_similarity.types import InputSpec, ModelSpec
from image_similarity.util.files import replacing_folder
from image_similarity.util.own_process import OwnProcessError, in_own_process, run_module

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from image_similarity.models.graph import Graph
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.types import Progress


@dataclass(frozen=True, slots=True)
class KerasNetwork:
    """One network: Keras' application, the layer to stop at, and its ``preprocess_input`` in numbers."""

    application: str
    layer: str
    dimension: int
    size: int
    mean: tuple[float, float, float]
    std: float
    reverse_channels: bool
    weights: WeightsFile


# Addresses, file names and MD5s: keras.applications' vgg19.py and inception_resnet_v2.py. Means: imagenet_utils.py,
# modes "caffe" (blue, green, red) and "tf".
NETWORKS = {
    "VGG": KerasNetwork(
        application="VGG19",
        layer="block4_pool",
        dimension=512,
        size=224,
        mean=(103.939, 116.779, 123.68),
        std=1.0,
        reverse_channels=True,
        weights=WeightsFile(
            file="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
            folder="vgg19",
            size=80_134_624,
            digest="253f8cb515780f3b799900260a226db6",
        ),
    ),
    "Inception_Resnet": KerasNetwork(
        application="InceptionResNetV2",
        layer="conv_7b_ac",
        dimension=1536,
        size=299,
        mean=(127.5, 127.5, 127.5),
        std=127.5,
        reverse_channels=False,
        weights=WeightsFile(
            file="inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            folder="inception_resnet_v2",
            size=219_055_592,
            digest="d19885ff4a710c122648d3b5c3b684e4",
        ),
    ),
}

LAYOUT = "NCHW"
WEIGHTS = "weights"  # the folder of the official files, below a folder of models
LICENCE = "Apache-2.0 (Keras); weights: see docs/models.md"


def definition(choice: ModelChoice, settings: Settings) -> Definition:
    """The definition of one of the two. Other weights make it another model, with their digest in its key."""
    network = NETWORKS[choice.name]
    digest = _digest(choice)

    def load(progress: Progress) -> Graph:
        return _network(choice, settings, progress)

    spec = ModelSpec(
        name=choice.name,
        key=choice.name if digest == network.weights.digest else f"{choice.name}@{digest[:8]}",
        dimension=network.dimension,
        input=InputSpec(network.size, "stretch", "nearest"),  # Keras' load_img
        preprocessing=f"mean {list(network.mean)}, std {network.std}, {'BGR' if network.reverse_channels else 'RGB'}",
        weights=f"{network.weights.file} {digest}",
        licence=LICENCE,
        precision="fp32",
    )
    return Definition(spec, load)


def _network(choice: ModelChoice, settings: Settings, progress: Progress) -> Graph:
    """The graph of one of the two. At first use its weights are downloaded and its graph is built and cached.

    Raises:
        WeightsError: the weights cannot be downloaded or are not the expected ones.
        ModelError: Keras could not build the graph.
    """
    from image_similarity.models.graph import Graph

    network, digest = NETWORKS[choice.name], _digest(choice)
    cache = Folders(settings.root).models
    built = cache / f"{choice.name}-{digest[:8]}-{LAYOUT.lower()}"
    if choice.weights is not None:
        verify(choice.weights, digest, network.weights.size if choice.weights_digest is None else None, choice.name)
    if not (built / "model.xml").exists():
        if choice.weights is None and digest != network.weights.digest:
            raise WeightsError(
                f"{built} is not there: {choice.name} was never built from the weights {digest}. "
                "Give their file with `weights` FILE"
            )
        folders = (folder / WEIGHTS for folder in model_folders(settings))
        kept = next((folder for folder in folders if (folder / network.weights.file).exists()), cache / WEIGHTS)
        weights = choice.weights or fetch(network.weights, choice.name, settings.weights_address, kept, progress)
        progress(f"build {choice.name}", 0, 1)
        _build(choice.name, weights, built)
        progress(f"build {choice.name}", 1, 1)
    return Graph(
        path=built / "model.xml",
        layout=LAYOUT,
        mean=network.mean,
        std=(network.std,) * 3,
        reverse_channels=network.reverse_channels,
    )


def _digest(choice: ModelChoice) -> str:
    if choice.weights_digest is None:
        return NETWORKS[choice.name].weights.digest
    return check_digest(choice.weights_digest)


def _build(name: str, weights: Path, folder: Path) -> None:
    """Build the graph in a process of its own: Keras chooses its backend at import, and takes much memory."""
    with replacing_folder(folder) as temporary:
        environment = {"KERAS_BACKEND": "openvino", "KERAS_HOME": str(temporary / "keras")}
        try:
            run_module(__name__, [name, str(weights), str(temporary / "model.xml")], environment)
        except OwnProcessError as error:
            raise ModelError(f"Keras could not build {name} from {weights}: {error}") from error
        shutil.rmtree(temporary / "keras", ignore_errors=True)


def build_graph(name: str, weights: Path, target: Path) -> None:
    """Export a network, up to its layer and with global average pooling, as OpenVINO IR. Imports Keras.

    Args:
        name: a key of :data:`NETWORKS`.
        weights: a file in Keras' ``.h5`` layout, of the whole network without its classifier.
        target: where to write; ends in ``.xml``.
    """
    import_openvino()  # before Keras imports it with its converter
    import keras

    # With channels last, every convolution would be between two transpositions: a quarter of the time.
    keras.config.set_image_data_format("channels_first")
    network = NETWORKS[name]
    application = getattr(keras.applications, network.application)
    whole = application(weights=None, include_top=False, input_shape=(3, network.size, network.size))
    whole.load_weights(str(weights))
    features = keras.layers.GlobalAveragePooling2D()(whole.get_layer(network.layer).output)
    keras.Model(whole.input, features).export(str(target), format="openvino", verbose=False)


def _work(arguments: Sequence[str], _: Callable[[str], None]) -> str:
    name, weights, target = arguments
    build_graph(name, Path(weights), Path(target))
    return target


if __name__ == "__main__":
    sys.exit(in_own_process(_work))
