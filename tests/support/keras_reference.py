"""What Keras itself makes of some pictures; run as ``python keras_reference.py NAME FOLDER``, in a process of its own.

Writes the weights of a whole network from a seed, as Keras' official files are laid out (``NAME.h5``), a picture
(``photo.jpg``), and of each of its six views the pixels that Keras loads and the vector that ``predict`` gives
(``NAME.npz``). Nothing of our package is imported: it is the package that is being judged.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openvino


def _in_single_precision(model: Any, device: str = "CPU", *_: Any) -> Any:
    return openvino.Core().compile_model(model, device, {"INFERENCE_PRECISION_HINT": "f32"})


openvino.compile_model = _in_single_precision  # or Keras' backend would compute in bf16 where the processor has it

import keras  # noqa: E402
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image  # noqa: E402

NETWORKS = {
    "VGG": ("VGG19", "vgg19", "block4_pool", 224),
    "Inception_Resnet": ("InceptionResNetV2", "inception_resnet_v2", None, 299),
}
TURNS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
)
SEED = 7


def seed_weights(network: Any) -> None:
    """Weights under which different pictures get clearly different vectors.

    Filters sum to nought: through many layers of ordinary random ones, any two pictures end up the same.
    """
    generator = np.random.default_rng(SEED)
    for layer in network.layers:
        values = []
        for weight in layer.weights:
            value = generator.standard_normal(weight.shape, np.float32)
            if weight.path.endswith("kernel"):
                value -= value.mean(axis=(0, 1, 2))
                value *= np.sqrt(2 / np.prod(weight.shape[:-1]))
            elif weight.path.endswith("moving_variance"):
                value = np.exp(value / 4)
            else:
                value *= 0.1
            values.append(value)
        layer.set_weights(values)


def photo(path: Path) -> Path:
    """A picture that is neither square nor the same after any turn."""
    down, across = np.mgrid[:260, :340] / 260
    waves = np.stack([np.sin(40 * across**2) * 127 + 128, 255 * down, 255 * down * across], axis=-1)
    fields = np.kron(np.random.default_rng(SEED).integers(0, 256, (13, 17, 3)), np.ones((20, 20, 1)))
    pixels = np.where((down + across < 1)[..., None], fields * down[..., None], waves)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=95)
    return path


def loaded(path: Path, size: int) -> list[NDArray[np.uint8]]:
    """The six views of a picture as Keras loads it."""
    picture = keras.utils.load_img(path, target_size=(size, size))
    return [np.asarray(picture if turn is None else picture.transpose(turn)) for turn in TURNS]


def main(name: str, folder: Path) -> None:
    application, module, layer, size = NETWORKS[name]
    keras.utils.set_random_seed(SEED)
    network = getattr(keras.applications, application)(weights=None, include_top=False, input_shape=(size, size, 3))
    seed_weights(network)
    with h5py.File(folder / f"{name}.h5", "w") as file:
        save_weights_to_hdf5_group(file, network)
    maps = network.output if layer is None else network.get_layer(layer).output
    features = keras.Model(network.input, keras.layers.GlobalAveragePooling2D()(maps))
    pixels = np.stack(loaded(photo(folder / "photo.jpg"), size))
    prepared = getattr(keras.applications, module).preprocess_input(pixels.astype(np.float32))
    np.savez(folder / f"{name}.npz", pixels=pixels, vectors=features.predict(prepared, verbose=0))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
