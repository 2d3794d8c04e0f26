"""The networks of the embedding benches, made once: seeded weights, Keras' graph as ONNX, and its twin in PyTorch."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MADE = Path(__file__).parent / "results" / "networks"
SHARED = ROOT.parent / "shared" / "weights"
REFERENCE = ROOT / "tests" / "support" / "keras_reference.py"
KERAS = {"VGG": ("VGG19", "block4_pool", 224), "Inception_Resnet": ("InceptionResNetV2", "conv_7b_ac", 299)}


def weights(name: str) -> tuple[Path, str]:
    """A weights file from a seed, in Keras' layout, and its MD5. Speed does not depend on what the numbers are."""
    file = MADE / f"{name}.h5"
    if not file.exists():
        MADE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(REFERENCE), name, str(MADE)], env=_keras("openvino"), check=True)
    return file, hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def onnx_file(name: str) -> Path:
    """The same network as ONNX, channels first, any batch: what one would give to ONNX Runtime."""
    file = MADE / f"{name}.onnx"
    if not file.exists():
        weights(name)
        subprocess.run([sys.executable, __file__, name], env=_keras("torch"), check=True)
    return file


def torch_network(name: str, policy: str) -> Any:
    """The same network in PyTorch, channels first, ready to infer. Keras must not have been imported otherwise.

    Args:
        name: ``VGG`` or ``Inception_Resnet``.
        policy: ``float32`` or ``bfloat16``, Keras' name of what it computes in.
    """
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    application, layer, size = KERAS[name]
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy(policy)
    whole = getattr(keras.applications, application)(weights=None, include_top=False, input_shape=(3, size, size))
    whole.load_weights(str(weights(name)[0]))
    features = keras.layers.GlobalAveragePooling2D()(whole.get_layer(layer).output)
    return keras.Model(whole.input, features).eval()


def _keras(backend: str) -> dict[str, str]:
    return os.environ | {"KERAS_BACKEND": backend, "KERAS_HOME": str(MADE / "keras")}


def _export(name: str) -> None:
    import torch

    size = KERAS[name][2]
    torch.onnx.export(
        torch_network(name, "float32"),
        (torch.randn(1, 3, size, size),),
        str(MADE / f"{name}.onnx"),
        dynamo=False,
        input_names=["image"],
        output_names=["features"],
        dynamic_axes={"image": {0: "n"}, "features": {0: "n"}},
    )


if __name__ == "__main__":
    _export(sys.argv[1])
