"""From files to stored features: how near the whole comes to its slowest part, and whether memory grows.

    python bench/pipeline.py --photos ../shared/data/luma/images

Decode alone and network alone each have all processors; the whole has to share the same ones, so the most that it can
reach is 1 / (1 / decode + 1 / network). The memory is that of fits of 2,000 and of 20,000 small pictures, each in a
process of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parent)]
import harness  # noqa: E402

PARSER = harness.arguments(__doc__ or "")
PARSER.add_argument("--networks", nargs="*", default=["VGG", "MobileNetV2"], help="none: only the memory")
PARSER.add_argument("--precision", nargs="+", help="fp32, and bf16 where the processor has it, when left out")
PARSER.add_argument("--photos", type=Path, help="a folder of photos; drawn ones when left out")
PARSER.add_argument("--images", type=int, default=32, help="photos a round; five times as many for MobileNetV2")
PARSER.add_argument("--memory", type=int, nargs="*", default=[2_000, 20_000], help="pictures of the fits compared")
PARSER.add_argument("--peak", nargs=2, metavar=("FOLDER", "ROOT"), help=harness.argparse.SUPPRESS)
ASKED = PARSER.parse_args()
THREADS = harness.pin(ASKED.threads)

import networks  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from image_similarity.catalogue import CatalogueSnapshot, open_source  # noqa: E402
from image_similarity.dataset import Dataset  # noqa: E402
from image_similarity.fitting.pipeline import FeaturesRun, LazyModel  # noqa: E402
from image_similarity.images.decoding import decode, read_bytes  # noqa: E402
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS, min_side, square  # noqa: E402
from image_similarity.models.precision import processor_has_bf16  # noqa: E402
from image_similarity.options import ModelChoice  # noqa: E402
from image_similarity.settings import Settings  # noqa: E402
from image_similarity.store.database import Database  # noqa: E402
from image_similarity.types import no_progress  # noqa: E402
from image_similarity.workspace import Workspace  # noqa: E402
from image_similarity_demo import draw_sample  # noqa: E402

if TYPE_CHECKING:
    from image_similarity.types import EmbeddingModel, ModelSpec

PRECISIONS = ("fp32", "bf16") if processor_has_bf16() else ("fp32",)  # elsewhere bf16 is computed as fp32
WIDE = 800  # pixels a side
SMALL = 96  # pixels a side of the pictures whose fits are compared in memory
SETTINGS = Settings(root=networks.MADE / "workspace")


def photos(folder: Path, count: int) -> list[Path]:
    """Photos of 800 pixels as JPEGs, no two with the same bytes."""
    source = ASKED.photos
    if source is None:
        draw_sample(folder / "shop")
        source = folder / "shop" / "images"
    found = sorted(path for path in source.rglob("*") if path.suffix in (".jpg", ".png"))
    (folder / "photos").mkdir()
    for number in range(count):
        path = folder / "photos" / f"{number:05}.jpg"
        Image.open(found[number % len(found)]).convert("RGB").resize((WIDE, WIDE)).save(path, quality=90)
        with path.open("ab") as file:
            file.write(number.to_bytes(4, "big"))  # after the picture's end: another file, the same picture
    return sorted((folder / "photos").iterdir())


def squares(paths: list[Path], spec: ModelSpec) -> np.ndarray[Any, Any]:
    """Read and decoded on all processors, as a fit does it."""

    def one(path: Path) -> np.ndarray[Any, Any]:
        return square(decode(read_bytes(path), max_pixels=10**8, min_side=min_side(spec.input)), spec.input)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(one, paths)))


def whole(paths: list[Path], model: EmbeddingModel, views: tuple[str, ...], root: Path) -> None:
    """Features of a new dataset, with the model loaded before."""
    shutil.rmtree(root, ignore_errors=True)
    with Database(root / "features.db", Dataset.named("shop"), create=True) as database:
        run = FeaturesRun(
            database=database,
            models=[LazyModel(model.spec, lambda: model)],
            views=views,
            folder=root,
            max_pixels=10**8,
            progress=no_progress,
        )
        with CatalogueSnapshot(open_source(paths[0].parent, settings=SETTINGS)) as catalogue:
            run.run(catalogue)
        if run.counts.done != len(paths):
            raise SystemExit(f"{run.counts} of {len(paths)}: {run.failures[:1]}")


def measured(name: str, precision: str, folder: Path) -> tuple[list[object], dict[str, Any]] | None:
    """Decode alone, network alone, and the whole with one and with six views, in turn."""
    choice = choice_of(name, precision)
    if choice is None:
        print(f"{name}: left out, its file is not at hand", file=sys.stderr)
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    paths = photos(folder, ASKED.images * (1 if name in networks.KERAS else 5))
    part = harness.part_of(choice, SETTINGS)
    model, spec = part.load(SETTINGS), part.spec
    pixels, few = squares(paths, spec), paths[: len(paths) // 4]
    (folder / "few").mkdir()
    few = [Path(shutil.copy(path, folder / "few")) for path in few]
    sides = [
        harness.Side("decode", lambda: squares(paths, spec), len(paths)),
        harness.Side("network", lambda: model.embed(pixels), len(paths)),
        harness.Side("whole", lambda: whole(paths, model, ONE_VIEW, folder / "one"), len(paths)),
        harness.Side("six views", lambda: whole(few, model, SIX_VIEWS, folder / "six"), len(few)),
    ]
    rates = {timing.side.name: timing.rate for timing in harness.in_turn(sides, ASKED.rounds)}
    shared = 1 / (1 / rates["decode"] + 1 / rates["network"])
    figures = rates | {
        "of_network": rates["whole"] / rates["network"],
        "shared_bound": shared,
        "of_shared_bound": rates["whole"] / shared,
        "six_views_cost": rates["whole"] / rates["six views"],
    }
    return [f"{name} {precision}", *figures.values()], figures


def choice_of(name: str, precision: str) -> ModelChoice | None:
    """How a user would ask for the network; None where its file is not at hand."""
    if name in networks.KERAS:
        return ModelChoice(name, *networks.weights(name), precision)  # type: ignore[arg-type]
    description = networks.SHARED / "mobilenetv2.toml"
    return ModelChoice(str(description), precision=precision) if description.exists() else None  # type: ignore[arg-type]


def peak(count: int, folder: Path) -> int:
    """Megabytes of a fit of so many small pictures, in a process of its own."""
    pictures = folder / f"{count}"
    pictures.mkdir()
    random = np.random.default_rng(1)
    for number in range(count):  # each another: a larger catalogue has more different pictures, not more twins
        few = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
        few.resize((SMALL, SMALL), Image.Resampling.BICUBIC).save(pictures / f"{number // 4:06}_{number % 4}.jpg")
    command = [sys.executable, *sys.argv, "--peak", str(pictures), str(folder / f"root{count}")]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(json.loads(ended.stdout))


def print_peak(pictures: Path, root: Path) -> None:
    """Fit, and print the most memory that this process has held, in megabytes."""
    import resource

    Workspace(settings=Settings(root=root)).fit(
        "shop", pictures, model=choice_of("MobileNetV2", "fp32") or "colour-shape"
    )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main() -> None:
    """Measure and report."""
    if ASKED.peak:
        print_peak(*map(Path, ASKED.peak))
        return
    lines, results = [], {"versions": harness.versions("openvino", "pillow", "numpy")}
    with TemporaryDirectory() as folder:
        for name in ASKED.networks:
            for precision in ASKED.precision or PRECISIONS:
                if found := measured(name, precision, Path(folder) / "rates"):
                    lines.append(found[0])
                    results[f"{name} {precision}"] = found[1]
        results["peak_mb"] = {str(count): peak(count, Path(folder)) for count in ASKED.memory}
    header = ["images/s", "decode", "network", "whole", "six views", "of network", "bound", "of bound", "six cost"]
    memory = harness.table(["pictures", "peak MB"], [[count, mb] for count, mb in results["peak_mb"].items()])
    harness.report("pipeline", results, [harness.table(header, lines), memory])


if __name__ == "__main__":
    main()
