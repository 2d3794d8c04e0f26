"""From files to stored features: how near the whole comes to its slowest part, and whether memory grows.

    python bench/pipeline.py --photos ../shared/data/luma/images
    python bench/pipeline.py --models standard --wide 1000 --against ../before/src --memory --photos ...

Decode alone and network alone each have all processors; the whole has to share the same ones, so the most that it can
reach is 1 / (1 / decode + 1 / network). The memory is that of fits of 2,000 and of 20,000 small pictures, each in a
process of its own. With ``--against``, the whole of this version and of another one run in turn, each in processes of
its own, on the same files; the least of all rounds counts, in seconds and in seconds of the processors.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parent)]
import harness  # noqa: E402

PARSER = harness.arguments(__doc__ or "")
PARSER.add_argument("--models", nargs="*", default=["VGG", "MobileNetV2"], help="none: only the memory")
PARSER.add_argument("--precision", nargs="+", help="fp32, and bf16 where the processor has it, when left out")
PARSER.add_argument("--photos", type=Path, help="a folder of photos; drawn ones when left out")
PARSER.add_argument("--images", type=int, default=32, help="photos a round; five times as many if not VGG")
PARSER.add_argument("--wide", type=int, default=800, help="pixels of a photo's side")
PARSER.add_argument("--against", type=Path, help="the folder `src` of another version to compare with")
PARSER.add_argument("--memory", type=int, nargs="*", default=[2_000, 20_000], help="pictures of the fits compared")
PARSER.add_argument("--peak", nargs=2, metavar=("FOLDER", "ROOT"), help=harness.argparse.SUPPRESS)
PARSER.add_argument("--least", type=Path, metavar="FOLDER", help=harness.argparse.SUPPRESS)
ASKED = PARSER.parse_args()
THREADS = harness.pin(ASKED.threads)

import networks  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from image_similarity.catalogue import CatalogueSnapshot, open_source  # noqa: E402
from image_similarity.dataset import Dataset  # noqa: E402
from image_similarity.fitting.pipeline import FeaturesRun, LazyModel  # noqa: E402
from image_similarity.images import ONE_VIEW, SIX_VIEWS, decoded_inputs, read_bytes  # noqa: E402
from image_similarity.models.precision import processor_has_bf16  # noqa: E402
from image_similarity.models.resolver import define_model  # noqa: E402
from image_similarity.options import ModelChoice  # noqa: E402
from image_similarity.settings import Settings  # noqa: E402
from image_similarity.store.database import Database  # noqa: E402
from image_similarity.types import no_progress  # noqa: E402
from image_similarity.workspace import Workspace  # noqa: E402
from image_similarity_demo import draw_sample  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.types import EmbeddingModel, ModelSpec

    Pixels = list[np.ndarray[Any, Any]]

PRECISIONS = ("fp32", "bf16") if processor_has_bf16() else ("fp32",)  # elsewhere bf16 is computed as fp32
SMALL = 96  # pixels a side of the pictures whose fits are compared in memory
SETTINGS = Settings(root=networks.MADE / "workspace")


def photos(folder: Path, count: int) -> list[Path]:
    """Photos as JPEGs, no two with the same bytes."""
    source = ASKED.photos
    if source is None:
        draw_sample(folder / "shop")
        source = folder / "shop" / "images"
    found = sorted(path for path in source.rglob("*") if path.suffix in (".jpg", ".png"))
    (folder / "photos").mkdir()
    for number in range(count):
        path = folder / "photos" / f"{number:05}.jpg"
        photo = Image.open(found[number % len(found)]).convert("RGB")
        photo.resize((ASKED.wide, ASKED.wide)).save(path, quality=90)
        with path.open("ab") as file:
            file.write(number.to_bytes(4, "big"))  # after the picture's end: another file, the same picture
    return sorted((folder / "photos").iterdir())


def squares(paths: list[Path], specs: Sequence[ModelSpec]) -> Pixels:
    """Read and decoded on all processors, as a fit does it: the inputs of each part of a model."""
    inputs = [spec.input for spec in specs]

    def one(path: Path) -> Pixels:
        return decoded_inputs(read_bytes(path), inputs, 10**8)[0]

    with ThreadPoolExecutor(THREADS) as pool:
        return [np.stack(part) for part in zip(*pool.map(one, paths), strict=True)]


def run_networks(models: Sequence[EmbeddingModel], pixels: Pixels) -> None:
    """The parts of a model that are networks, and nothing else."""
    for model, inputs in zip(models, pixels, strict=True):
        if model.spec.precision:
            model.embed(inputs)


def whole(paths: list[Path], models: Sequence[EmbeddingModel], views: tuple[str, ...], root: Path) -> None:
    """Features of a new dataset, with the model loaded before."""
    shutil.rmtree(root, ignore_errors=True)
    with Database(root / "features.db", Dataset.named("shop"), create=True) as database:
        run = FeaturesRun(
            database=database,
            models=[LazyModel(model.spec, lambda model=model: model) for model in models],  # type: ignore[misc]
            views=views,
            folder=root,
            max_pixels=10**8,
            progress=no_progress,
        )
        with CatalogueSnapshot(open_source(paths[0].parent, settings=SETTINGS)) as catalogue:
            run.run(catalogue)
        if run.counts.done != len(paths):
            raise SystemExit(f"{run.counts} of {len(paths)}: {run.failures[:1]}")


def loaded(choice: ModelChoice) -> list[EmbeddingModel]:
    """The parts of a model."""
    return [part.load(SETTINGS) for part in define_model(choice, Dataset.named("bench"), SETTINGS).parts]


def measured(name: str, precision: str, folder: Path) -> tuple[list[object], dict[str, Any]] | None:
    """Decode alone, network alone, and the whole with one and with six views, in turn."""
    choice = choice_of(name, precision)
    if choice is None:
        print(f"{name}: left out, its file is not at hand", file=sys.stderr)
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    paths = photos(folder, ASKED.images * (1 if name in networks.KERAS else 5))
    models = loaded(choice)
    specs = [model.spec for model in models]
    pixels, few = squares(paths, specs), paths[: len(paths) // 4]
    (folder / "few").mkdir()
    few = [Path(shutil.copy(path, folder / "few")) for path in few]
    sides = [
        harness.Side("decode", lambda: squares(paths, specs), len(paths)),
        harness.Side("network", lambda: run_networks(models, pixels), len(paths)),
        harness.Side("whole", lambda: whole(paths, models, ONE_VIEW, folder / "one"), len(paths)),
        harness.Side("six views", lambda: whole(few, models, SIX_VIEWS, folder / "six"), len(few)),
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


# Against another version -------------------------------------------------------------------------------------------


def compared(name: str, precision: str, folder: Path) -> tuple[list[object], dict[str, Any]]:
    """The whole of another version and of this one, in turn: seconds of an image, on the clock and of processors."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    photos(folder, ASKED.images)
    command = [sys.executable, __file__, "--models", name, "--precision", precision, "--threads", str(THREADS)]
    command += ["--least", str(folder)]
    least: dict[str, dict[str, float]] = {}
    for turn in range(ASKED.rounds):
        for version, source in (("before", ASKED.against), ("now", Path(__file__).parents[1] / "src")):
            environment = os.environ | {"PYTHONPATH": str(source.resolve())}
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
            found, known = json.loads(ended.stdout), least.get(version, {})
            least[version] = {key: min(value, known.get(key, value)) for key, value in found.items()}
            print(f"  {turn + 1}, {version}: {found}", file=sys.stderr, flush=True)
    before, now = least["before"], least["now"]
    network = min(before["network"], now["network"])
    network_cpu = min(before["network_cpu"], now["network_cpu"])
    figures: dict[str, Any] = {
        "before": 1 / before["whole"],
        "now": 1 / now["whole"],
        "ratio": before["whole"] / now["whole"],
        "ratio_cpu": before["whole_cpu"] / now["whole_cpu"],
        "of_network": network / now["whole"],
        "of_network_cpu": network_cpu / now["whole_cpu"],
    }
    return [f"{name} {precision}", *figures.values()], figures | least


def print_least(folder: Path) -> None:
    """Print the least seconds of an image: of the whole, and of its networks alone."""
    choice = choice_of(ASKED.models[0], ASKED.precision[0])
    if choice is None:
        raise SystemExit(f"{ASKED.models[0]}: its file is not at hand")
    paths, models = sorted((folder / "photos").iterdir()), loaded(choice)
    pixels = squares(paths, [model.spec for model in models])
    work = {
        "whole": lambda: whole(paths, models, ONE_VIEW, folder / "root"),
        "network": lambda: run_networks(models, pixels),
    }
    seconds: dict[str, float] = {}
    for _ in range(3):
        for key, run in work.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            run()
            taken = {key: time.perf_counter() - start, f"{key}_cpu": time.process_time() - start_cpu}
            seconds |= {each: min(value, seconds.get(each, value)) for each, value in taken.items()}
    print(json.dumps({key: value / len(paths) for key, value in seconds.items()}))


# Memory ------------------------------------------------------------------------------------------------------------


def choice_of(name: str, precision: str) -> ModelChoice | None:
    """How a user would ask for the model; None where its file is not at hand."""
    if name in networks.KERAS:
        return ModelChoice(name, *networks.weights(name), precision)  # type: ignore[arg-type]
    if name != "MobileNetV2":
        return ModelChoice(name, precision=precision)  # type: ignore[arg-type]
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
    if ASKED.least:
        print_least(ASKED.least)
        return
    lines, results = [], {"versions": harness.versions("openvino", "pillow", "numpy")}
    measure = compared if ASKED.against else measured
    with TemporaryDirectory() as folder:
        for name in ASKED.models:
            for precision in ASKED.precision or PRECISIONS:
                if found := measure(name, precision, Path(folder) / "rates"):
                    lines.append(found[0])
                    results[f"{name} {precision}"] = found[1]
        results["peak_mb"] = {str(count): peak(count, Path(folder)) for count in ASKED.memory}
    header = ["images/s", "decode", "network", "whole", "six views", "of network", "bound", "of bound", "six cost"]
    if ASKED.against:
        header = ["images/s", "before", "now", "ratio", "by CPU time", "of network", "by CPU time"]
    memory = harness.table(["pictures", "peak MB"], [[count, mb] for count, mb in results["peak_mb"].items()])
    harness.report("pipeline", results, [harness.table(header, lines), memory])


if __name__ == "__main__":
    main()
