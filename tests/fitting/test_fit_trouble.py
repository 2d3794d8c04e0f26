"""A locked store, a full disk, a damaged file, a folder that cannot be written: one clear line, and nothing lost."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity import Settings, Workspace
from image_similarity.cli import main
from image_similarity.errors import OutputError, StoreError, UsageError
from image_similarity.fitting.pipeline import CHUNK
from tests.conftest import paint
from tests.support.interrupted import NOBODY, START, Moment, counts, disk_full_at, fit_command, run, run_into
from tests.support.shop import MODEL, CountingModel, known, paint_shop, rows

COUNT = "SELECT count(*) FROM features_shop"
IMAGES = 40
OPENING = Moment("image_similarity.store.database", "connect")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for number in range(IMAGES):
        paint(
            tmp_path / "pictures" / f"p{number // 2:02}_{number}.png", (4 * number, 255 - 4 * number, 99), spot=number
        )
    return tmp_path / "pictures"


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Another process that writes and does not end."""
    path = settings.root / "database" / "features.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE never_seen (a)")
        yield


def one_line(stderr: str) -> str:
    """The only line that people see."""
    (line,) = stderr.splitlines()
    assert line.startswith("error: ")
    return line


# Locked -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitted", [False, True], ids=["a new store", "a used store"])
def test_a_locked_store_says_so_and_keeps_everything(workspace: Workspace, tmp_path: Path, fitted: bool) -> None:
    folder = paint_shop(tmp_path / "pictures")
    if fitted:
        workspace.fit("shop", folder, model=MODEL)
    with (
        locked(workspace.settings),
        pytest.raises(StoreError, match=r"features\.db is locked: another process writes to it\. Wait for it to end"),
    ):
        workspace.fit("shop", folder, model=MODEL)
    report = workspace.fit("shop", folder, model=MODEL)
    assert (report.counts.done, report.counts.known) == ((0, 6) if fitted else (6, 0))


def test_a_lock_in_the_middle_of_a_run_costs_one_batch(
    workspace: Workspace, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(":memory:")) as nothing:
        others = [nothing]

        class Locking(CountingModel):
            def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
                if self.embedded == 2 * CHUNK:
                    others.append(sqlite3.connect(workspace.settings.root / "database" / "features.db"))
                    others[-1].execute("BEGIN IMMEDIATE")
                return super().embed(pixels)

        known(monkeypatch, Locking())
        with pytest.raises(StoreError, match="is locked"):
            workspace.fit("shop", many, model=MODEL)
        others[-1].close()
    assert rows(workspace.settings, COUNT) == [(2 * CHUNK,)]
    report = workspace.fit("shop", many, model=MODEL)
    assert (report.counts.done, report.counts.known) == (IMAGES - 2 * CHUNK, 2 * CHUNK)


def test_queries_are_answered_while_a_fit_writes(workspace: Workspace, tmp_path: Path) -> None:
    folder = paint_shop(tmp_path / "pictures")
    workspace.fit("shop", folder, model=MODEL)
    with locked(workspace.settings):
        assert workspace.similar("shop", "red", model=MODEL).matches[0].product_id == "orange"
        assert workspace.search("shop", folder / "red_1.png", model=MODEL).matches[0].product_id == "red"


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "1e9"])
def test_a_wait_that_cannot_be_is_a_wrong_setting(given: str) -> None:
    with pytest.raises(UsageError, match="IMAGE_SIMILARITY_LOCK_TIMEOUT must be a number of seconds from 0 to"):
        Settings.from_environment({"IMAGE_SIMILARITY_LOCK_TIMEOUT": given})


def test_at_the_command_line_a_lock_is_one_line_and_exit_code_1(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = paint_shop(tmp_path / "pictures")
    monkeypatch.setenv("IMAGE_SIMILARITY_LOCK_TIMEOUT", "0.1")
    monkeypatch.setattr(sys, "argv", ["image-similarity", *fit_command(workspace.settings.root, folder)])
    with locked(workspace.settings), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "is locked: another process writes to it" in one_line(err)


# Full -------------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(many: Path, tmp_path: Path) -> None:
    command, settings = fit_command(tmp_path / "data", many), Settings(root=tmp_path / "data")
    # Full before the first byte, in the first tables, in the dataset's tables, in the middle of the images.
    for size in (0, 2_000, 100_000, 280_000):
        failed = run_into(disk_full_at(size), START, command)
        assert failed.returncode == 1
        assert "features.db cannot grow: the disk is full. Everything stored before is kept" in one_line(failed.stderr)
    kept = len(rows(settings, "SELECT id FROM features_shop"))
    assert 0 < kept < IMAGES
    assert kept % CHUNK == 0
    assert counts(run(command)) == (IMAGES - kept, kept, 0)
    assert rows(settings, "PRAGMA integrity_check") == [("ok",)]


def test_recommendations_that_do_not_fit_leave_those_of_before(many: Path, tmp_path: Path) -> None:
    folder, settings = tmp_path / "data" / "trained_models", Settings(root=tmp_path / "data")
    counts(run(fit_command(tmp_path / "data", many, "--number", "2")))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    answering = (
        "SELECT product, matches FROM recommendations WHERE fit = (SELECT max(id) FROM fits WHERE finished NOT NULL) "
        "ORDER BY number"
    )
    answers = rows(settings, answering)
    command = fit_command(tmp_path / "data", many, "--number", "9")
    for moment in (
        Moment("image_similarity.store.recommendations:_ParquetWriter", "__init__"),
        Moment("image_similarity.store.recommendations:_RowWriter", "flush"),
        Moment("image_similarity.store.safe_pickle", "dumps"),
    ):
        failed = run_into(disk_full_at(100), moment, command)
        assert failed.returncode == 1
        assert (
            "The previous content is unchanged" in failed.stderr or "Everything stored before is kept" in failed.stderr
        )
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert rows(settings, answering) == answers
    assert counts(run(command)) == (0, IMAGES, 0)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    assert len(rows(settings, answering)) == len(answers) and rows(settings, answering) != answers


# Damaged, read-only, missing --------------------------------------------------------------------------------------


def test_any_damaged_page_is_an_error_that_names_the_file(workspace: Workspace, tmp_path: Path) -> None:
    folder = paint_shop(tmp_path / "pictures")
    workspace.fit("shop", folder, model=MODEL)
    path = workspace.settings.root / "database" / "features.db"
    whole, page = path.read_bytes(), 4096
    damage = [whole[:at] + b"\xff" * page + whole[at + page :] for at in range(0, len(whole), page)]
    damage += [whole[: len(whole) // 2], whole[: page + 100], whole[:50]]
    refused = 0
    for data in damage:
        for job in (
            lambda: workspace.search("shop", folder / "red_1.png", model=MODEL),
            lambda: workspace.similar("shop", "red", model=MODEL),
            lambda: workspace.evaluate("shop", model=MODEL, simulated=1),
            lambda: workspace.failures("shop"),
            lambda: workspace.fit("shop", folder, model=MODEL),
        ):
            path.write_bytes(data)
            try:
                job()  # a job that does not look at the damaged page may well succeed
            except StoreError as error:
                refused += 1
                assert str(path) in str(error)
                assert "is damaged or not a feature store" in str(error)
    assert refused >= len(damage)


@pytest.mark.parametrize("place", ["data", "data/database", "data/database/features.db"])
def test_something_else_stands_where_the_store_belongs(workspace: Workspace, tmp_path: Path, place: str) -> None:
    folder = paint_shop(tmp_path / "pictures")
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    if place.endswith(".db"):
        (tmp_path / place).mkdir()
    else:
        (tmp_path / place).write_bytes(b"a file")
    with pytest.raises(StoreError, match=r"database/features\.db cannot be opened: "):
        workspace.fit("shop", folder, model=MODEL)


def test_something_else_stands_where_the_recommendations_belong(workspace: Workspace, tmp_path: Path) -> None:
    folder, blocker = paint_shop(tmp_path / "pictures"), workspace.settings.root / "trained_models"
    blocker.parent.mkdir()
    blocker.write_bytes(b"a file")
    with pytest.raises(OutputError, match=r"cannot write .*trained_models/shop_model_mean-colour\.p"):
        workspace.fit("shop", folder, model=MODEL)
    assert rows(workspace.settings, COUNT) == [(6,)]  # the features are safe
    blocker.unlink()
    assert workspace.fit("shop", folder, model=MODEL).counts.known == 6


def test_a_workspace_that_may_only_be_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, data = paint_shop(Path(place) / "pictures"), Path(place) / "data"
        command = fit_command(data, folder)
        counts(run(command))
        read_only = [Path(place), *Path(place).rglob("*")]
        for path in read_only:
            path.chmod(0o555)
        try:
            for each in (command, fit_command(data / "new", folder)):
                failed = run_into(NOBODY, OPENING, each)
                assert failed.returncode == 1
                assert "features.db cannot be opened: " in one_line(failed.stderr)
                assert "not read-only" in failed.stderr
        finally:
            for path in read_only:
                path.chmod(0o755)
        assert counts(run(command)) == (0, 6, 0)
