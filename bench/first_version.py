"""The first version's way against ours: one image at a time through Keras' ``predict``, against a whole ``fit``.

    pip install -r bench/requirements.txt
    python bench/first_version.py --photos ../shared/data/luma/images

Keras runs on PyTorch here. Both read the same photos of 800 pixels; ours also hashes them, stores the features and
ranks the products. The int8 network is calibrated before: that is done once for a catalogue.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]
import harness  # noqa: E402

PARSER = harness.arguments(__doc__ or "")
PARSER.add_argument("--networks", nargs="+", default=["VGG", "Inception_Resnet"])
PARSER.add_argument("--photos", type=Path, help="a folder of photos; drawn ones when left out")
PARSER.add_argument("--images", type=int, default=96, help="photos of a fit of ours")
PARSER.add_argument("--singly", type=int, default=6, help="photos that the first version's way is timed on")
ASKED = PARSER.parse_args()
THREADS = harness.pin(ASKED.threads)
os.environ["KERAS_BACKEND"] = "torch"

import networks  # noqa: E402
from PIL import Image  # noqa: E402

from image_similarity.models.precision import processor_has_bf16  # noqa: E402
from image_similarity.options import ModelChoice  # noqa: E402
from image_similarity.settings import Settings  # noqa: E402
from image_similarity.workspace import Workspace  # noqa: E402
from image_similarity_demo import draw_sample  # noqa: E402

PRECISIONS = ("fp32", *(["bf16"] if processor_has_bf16() else []), "int8")  # elsewhere bf16 is computed as fp32
WIDE = 800  # pixels a side
FOLDER = networks.MADE.parent / "first-version"
MODULES = {"VGG": "vgg19", "Inception_Resnet": "inception_resnet_v2"}


def photos() -> list[Path]:
    """The same photos for both sides, as JPEGs."""
    source, folder = ASKED.photos, FOLDER / "photos"
    shutil.rmtree(FOLDER, ignore_errors=True)
    if source is None:
        draw_sample(FOLDER / "shop")
        source = FOLDER / "shop" / "images"
    folder.mkdir(parents=True)
    for path in sorted(path for path in source.rglob("*") if path.suffix in (".jpg", ".png"))[: ASKED.images]:
        Image.open(path).convert("RGB").resize((WIDE, WIDE)).save(folder / f"{path.stem}.jpg", quality=90)
    return sorted(folder.iterdir())


def first_version(name: str, paths: list[Path]) -> harness.Side:
    """Load, resize to the nearest pixel, preprocess and predict, one image after the other."""
    import keras

    application, layer, size = networks.KERAS[name]
    whole: Any = getattr(keras.applications, application)(weights=None, include_top=False, input_shape=(size, size, 3))
    whole.load_weights(str(networks.weights(name)[0]))
    features = keras.layers.GlobalAveragePooling2D()(whole.get_layer(layer).output)
    network, preprocess = (
        keras.Model(whole.input, features),
        getattr(keras.applications, MODULES[name]).preprocess_input,
    )

    def run() -> None:
        for path in paths:
            picture = keras.utils.load_img(path, target_size=(size, size))
            network.predict(preprocess(keras.utils.img_to_array(picture)[None]), verbose=0)

    return harness.Side(f"{name}, first version", run, len(paths))


def ours(name: str, precision: str, paths: list[Path]) -> harness.Side:
    """A fit of a new dataset: read, hash, decode, embed, store, rank, write."""
    root = FOLDER / f"{name}-{precision}"
    weights, digest = networks.weights(name)
    choice = ModelChoice(name, weights, digest, precision, precision == "int8")  # type: ignore[arg-type]
    workspace = Workspace(settings=Settings(root=root))
    workspace.fit("shop", paths[0].parent, model=choice)  # builds the network, and calibrates and compares int8

    def run() -> None:
        for folder in ("database", "trained_models"):
            shutil.rmtree(root / folder)
        workspace.fit("shop", paths[0].parent, model=choice)

    return harness.Side(f"{name}, ours {precision}", run, len(paths))


def main() -> None:
    """Measure every network both ways."""
    paths = photos()
    results: dict[str, Any] = {"versions": harness.versions("keras", "torch", "openvino", "nncf"), "images": len(paths)}
    rows, singly = [], 0.0
    for name in ASKED.networks:
        sides = [
            first_version(name, paths[: ASKED.singly]),
            *(ours(name, precision, paths) for precision in PRECISIONS),
        ]
        timings = harness.in_turn(sides, ASKED.rounds)
        singly += 1 / timings[0].rate
        for timing in timings:
            ratio = timing.rate / timings[0].rate
            rows.append([timing.side.name, timing.rate, ratio])
            results[timing.side.name] = {"seconds": timing.seconds, "rate": timing.rate, "ratio": ratio}
    # The first version computed all of its networks for every image, whichever was asked for.
    lines = [[*row, row[1] * singly] for row in rows]
    header = ["way", "images/s", "times the same network singly", "times all networks singly"]
    harness.report("first_version", results | {"seconds_an_image_singly": singly}, [harness.table(header, lines)])


if __name__ == "__main__":
    main()
