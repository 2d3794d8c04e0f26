"""SIGKILL at any moment: the next run ends as if nothing had happened, and repeats only the batch in flight."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_similarity.fitting.pipeline import CHUNK
from tests.support.interrupted import KILLED, Moment, counts, fit_command, run, run_into

IMAGES = 60
STORE = "image_similarity.store.features:FeatureStore"


@dataclass(frozen=True)
class Outcome:
    """All that a fit leaves behind."""

    rows: list[tuple[object, ...]]
    pickle: bytes
    parquet: bytes


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(7)
    for number in range(IMAGES):
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
        coarse.resize((120, 90)).save(folder / f"p{number // 3:02}_{number}.png")
    return folder


@pytest.fixture(scope="module")
def unbroken(catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    workspace = tmp_path_factory.mktemp("unbroken")
    assert counts(run(fit_command(workspace, catalogue))) == (IMAGES, 0, 0)
    return outcome(workspace)


def outcome(workspace: Path) -> Outcome:
    with closing(sqlite3.connect(workspace / "database" / "features.db")) as connection:
        rows = connection.execute("SELECT * FROM features_shop ORDER BY id").fetchall()
    stem = workspace / "trained_models" / "shop_model_colour-shape"
    files = (Path(f"{stem}{ending}").read_bytes() for ending in (".pickle", ".parquet"))
    return Outcome(rows, *files)


def stored(workspace: Path) -> int:
    """The rows that any other process can see."""
    path = workspace / "database" / "features.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            (count,) = connection.execute("SELECT count(*) FROM features_shop").fetchone()
        except sqlite3.OperationalError:  # the tables are not there yet
            return 0
    return int(count)


def kill_when_stored(number: int, workspace: Path, catalogue: Path) -> None:
    """Start a fit and kill it from outside as soon as so many rows can be seen."""
    command = [sys.executable, "-m", "image_similarity", *fit_command(workspace, catalogue)]
    log = workspace / "database" / "features.db-wal"  # before it is there, even a reader would be in the way
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (log.exists() and stored(workspace) >= number):
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def finish(workspace: Path, catalogue: Path) -> Outcome:
    """Run to the end; only what was not stored is embedded."""
    before = stored(workspace)
    assert counts(run(fit_command(workspace, catalogue))) == (IMAGES - before, before, 0)
    return outcome(workspace)


def test_killed_from_outside_again_and_again(catalogue: Path, unbroken: Outcome, tmp_path: Path) -> None:
    seen = []
    for number in (1, CHUNK + 1, 2 * CHUNK + 1):
        kill_when_stored(number, tmp_path, catalogue)
        seen.append(stored(tmp_path))
    assert seen == sorted(seen)
    assert all(number % CHUNK == 0 or number == IMAGES for number in seen)  # a batch is stored whole or not at all
    assert finish(tmp_path, catalogue) == unbroken


def test_killed_while_the_tables_are_made_and_in_the_middle_of_a_batch(
    catalogue: Path, unbroken: Outcome, tmp_path: Path
) -> None:
    for moment, rows in (
        (Moment("image_similarity.store.database", "create_dataset"), 0),
        (Moment(STORE, "add_row", CHUNK // 2), 0),
        (Moment(STORE, "add_row", CHUNK + CHUNK // 2), CHUNK),
        (Moment("image_similarity.store.records:CatalogueRecords", "claim", 4), CHUNK),
    ):
        assert run_into(KILLED, moment, fit_command(tmp_path, catalogue)).returncode == -signal.SIGKILL
        assert stored(tmp_path) >= rows
        assert stored(tmp_path) % CHUNK == 0
    assert finish(tmp_path, catalogue) == unbroken


def test_killed_while_the_recommendations_are_written(catalogue: Path, unbroken: Outcome, tmp_path: Path) -> None:
    for moment in (
        Moment(STORE, "activate_seen"),
        Moment("image_similarity.store.recommendations:_RowWriter", "flush"),
        Moment("os", "fsync"),
        Moment("pathlib:Path", "replace", 2),
    ):
        assert run_into(KILLED, moment, fit_command(tmp_path, catalogue)).returncode == -signal.SIGKILL
        assert stored(tmp_path) == IMAGES
        assert not list(tmp_path.glob("trained_models/shop*.pickle"))
    assert finish(tmp_path, catalogue) == unbroken
