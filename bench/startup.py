"""From the shell's prompt to the answer: whole commands in fresh processes, files in the page cache.

    python bench/startup.py [--rounds 5] [--threads 2] [--products 100000] [--model shared/weights/mobilenetv2.toml]

One made-up shop in a temporary workspace: recommendations of so many products, ten each, and so many
images whose features are drawn in clusters. Beside our commands stand ``python -c pass`` and ``import numpy``: what
nobody who writes Python can go below.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import harness

WEIGHTS = Path(__file__).parents[2] / "shared" / "weights" / "mobilenetv2.toml"
SIMILAR, SEED = 10, 7
TOP = 5  # packages named for each command
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +([\w.]+)")


@dataclass
class Command:
    """One command line, run in a process of its own; keeps the most memory that it held."""

    name: str
    arguments: list[str]
    megabytes: float = field(default=0.0)

    def run(self) -> None:
        """Run it to its end."""
        with subprocess.Popen([sys.executable, *self.arguments], stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{self.name} ended with {process.returncode}")
        self.megabytes = used.ru_maxrss / 1024  # of the last round: the first one builds the index

    def imports(self) -> dict[str, float]:
        """The packages that took longest to import, in milliseconds of their own; ``python -X importtime``."""
        command = [sys.executable, "-X", "importtime", *self.arguments]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        spent: dict[str, float] = {}
        for microseconds, module in IMPORT.findall(ended.stderr):
            package = module.partition(".")[0]
            package = "standard library" if package in sys.stdlib_module_names else package
            spent[package] = spent.get(package, 0.0) + int(microseconds) / 1000
        return dict(sorted(spent.items(), key=lambda each: -each[1])[:TOP])


def main() -> None:
    """Measure and report."""
    parser = harness.arguments(__doc__ or "")
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--model", type=Path, default=WEIGHTS, help="a network's description")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        _prepare(options.prepare, options.products, options.model)
        return
    threads = harness.pin(options.threads)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs, and so is what is measured here
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # Elsewhere: Linux counts the memory of whoever starts a process as the process's own.
        subprocess.run([sys.executable, *sys.argv, "--prepare", folder], check=True)
        commands = [
            Command("python -c pass", ["-c", "pass"]),
            Command("python -c 'import numpy'", ["-c", "import numpy"]),
            *_commands(root, options.products, options.model),
        ]
        timings = harness.in_turn([harness.Side(each.name, each.run) for each in commands], options.rounds, warm=2)
        imports = {each.name: each.imports() for each in commands}
    by_name = {timing.side.name: timing for timing in timings}
    rows = [
        [
            each.name,
            round(by_name[each.name].median, 3),
            round(each.megabytes),
            ", ".join(f"{package} {spent:.0f}" for package, spent in imports[each.name].items()),
        ]
        for each in commands
    ]
    results = {
        "products": options.products,
        "threads": threads,
        "versions": harness.versions("numpy", "openvino", "typer", "rich"),
        "seconds": {name: timing.seconds for name, timing in by_name.items()},
        "megabytes": {each.name: each.megabytes for each in commands},
        "import_milliseconds": imports,
    }
    harness.report("startup", results, [harness.table(["command", "seconds", "MB", "imports, ms"], rows)])


def _commands(root: Path, products: int, model: Path) -> Iterator[Command]:
    def ours(name: str, *arguments: str) -> Command:
        return Command(name, ["-m", "image_similarity", *arguments])

    place = ["--dataset", "shop", "--workspace", str(root / "data")]
    asked = [_id(products // 2), *place, "--model", "colour-shape"]
    yield ours("--help", "--help")
    yield ours("version", "version")
    yield ours("similar --format json", "similar", *asked, "--format", "json")
    yield ours("similar", "similar", *asked)
    yield ours("similar, by chance", "similar", *asked[1:])
    if not model.exists():
        sys.stderr.write(f"there is no {model}: search is left out\n")
        return
    yield ours(
        "search --format json", "search", str(root / "photo.jpg"), *place, "--model", str(model), "--format", "json"
    )


def _prepare(root: Path, products: int, model: Path) -> None:
    _put_recommendations(root / "data", products)
    if model.exists():
        _put_features(root / "data", products, model)
        _put_photo(root / "photo.jpg")


def _put_recommendations(root: Path, products: int) -> None:
    import random

    from image_similarity.dataset import Dataset
    from image_similarity.settings import Folders
    from image_similarity.store.database import Database
    from image_similarity.store.recommendations import RecommendationStore
    from image_similarity.store.records import CatalogueRecords
    from image_similarity.types import CatalogueImage, Product, ProductMatch

    dataset, chance = Dataset.named("shop"), random.Random(SEED)

    def answers() -> Iterator[tuple[str, list[ProductMatch]]]:
        for number in range(products):
            others = (chance.randrange(products) for _ in range(SIMILAR))
            yield (
                _id(number),
                [
                    ProductMatch(_id(other), rank, round(chance.random(), 6), _image(other), _image(number))
                    for rank, other in enumerate(others, start=1)
                ],
            )

    with Database(Folders(root).database, dataset, create=True) as database:
        records = CatalogueRecords(database)
        records.claim([CatalogueImage(_image(each), _id(each), f"/shop/{_image(each)}") for each in range(products)])
        records.delete_unseen(Product(_id(each), f"Product {each}") for each in range(products))
        RecommendationStore(database, Folders(root).trained_models, dataset).write("colour-shape", answers())


def _put_features(root: Path, products: int, model: Path) -> None:
    import numpy as np
    import vectors

    from image_similarity.dataset import Dataset
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Folders, Settings
    from image_similarity.store.codec import encode
    from image_similarity.store.database import Database
    from image_similarity.store.features import FeatureRow, FeatureStore
    from image_similarity.types import CatalogueImage

    spec = harness.part_of(ModelChoice(str(model)), Settings()).spec
    shop = vectors.Shop(spec.dimension, SEED)  # noise would have no neighbourhoods to look into
    with Database(Folders(root).database, Dataset.named("shop"), create=True) as database:
        store = FeatureStore(database)
        store.add_model(spec)

        for block in range(-(-products // vectors.BLOCK)):
            first = block * vectors.BLOCK
            numbers = range(first, min(first + vectors.BLOCK, products))
            drawn = shop.vectors(vectors.ROWS, block)[: len(numbers)].astype(np.float32)
            rows = (
                FeatureRow(
                    CatalogueImage(_image(number), _id(number), f"/shop/{_image(number)}"),
                    *("000", number.to_bytes(32, "big"), True, encode(vector)),
                )
                for number, vector in zip(numbers, drawn, strict=True)
            )
            store.add(rows, spec.key)


def _put_photo(path: Path) -> None:
    import numpy as np
    from PIL import Image

    coarse = np.random.default_rng(SEED).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(coarse).resize((1600, 1200)).save(path, quality=90)


def _id(number: int) -> str:
    return f"product-{number:07}"


def _image(number: int) -> str:
    return f"{_id(number)}_{number * 7 % 999_983:06}.jpg"


if __name__ == "__main__":
    main()
