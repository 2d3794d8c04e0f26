"""The extract job: files, the listing beside them, and counts that add up, however a run ends."""

from __future__ import annotations

import csv
import gzip
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_similarity import Workspace
from image_similarity.catalogue import open_source
from image_similarity.errors import CatalogueError, OutputError
from image_similarity.fitting.extract_job import ExtractReport
from image_similarity.images.fetch_log import FILE_NAME, FetchLog
from image_similarity.options import DownloadOptions, ExtractOptions
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Product
from tests.support.servers import Answer, ImageServer, image_server, picture

QUICK = ExtractOptions(downloads=DownloadOptions(base_delay=0.001, timeout=5.0, tries=2))
RED, BLUE = picture("red"), picture("blue")


class Listed:
    """A source made by hand."""

    def __init__(self, images: Iterable[CatalogueImage], products: Iterable[Product] = ()) -> None:
        self._images, self._products = list(images), list(products)

    def __iter__(self) -> Iterator[CatalogueImage]:
        return iter(self._images)

    def products(self) -> Iterator[Product]:
        return iter(self._products)


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path / "data")


def run(source: Any, settings: Settings, options: ExtractOptions = QUICK) -> ExtractReport:
    report = Workspace(settings=settings).extract(source, "shop", options)
    assert report.counts.failed == len(report.failures)
    assert not list(settings.root.rglob("*.part"))
    return report


def counted(report: ExtractReport) -> tuple[int, int, int]:
    return report.counts.done, report.counts.known, report.counts.failed


def listing(report: ExtractReport) -> list[dict[str, str]]:
    with (report.folder / "listing.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def image(server: ImageServer, image_id: str, *answers: Answer) -> CatalogueImage:
    address = server.give(f"/{image_id}", *(answers or [Answer(RED)]))
    return CatalogueImage(image_id, image_id.partition("_")[0], address)


def test_images_and_a_listing_that_a_fit_can_read(server: ImageServer, settings: Settings) -> None:
    source = Listed(
        [image(server, "7_1.jpg"), image(server, "7_2.jpg"), image(server, "8_1.jpg", Answer(status=404))],
        [Product("7", "Ball", 'Round,\n"red"', {"price": "3"}), Product("9", "Unseen")],
    )
    report = run(source, settings)
    assert counted(report) == (2, 0, 1)
    assert report.folder == settings.root / "dataset" / "shop"
    assert [(f.stage, f.image_id) for f in report.failures] == [("download", "8_1.jpg")]
    assert [row["image"] for row in listing(report)] == ["7_1.jpg", "7_2.jpg"]
    again = open_source(report.folder, settings=settings)
    assert [Path(each.location).read_bytes() for each in again] == [RED, RED]
    assert [(p.title, p.description, p.attributes["price"]) for p in again.products()] == [
        ("Ball", 'Round,\n"red"', "3")
    ]


def test_a_second_run_asks_only_for_what_is_missing(server: ImageServer, settings: Settings) -> None:
    source = Listed([image(server, "7_1.jpg"), image(server, "7_2.jpg", Answer(status=404), Answer(BLUE))])
    assert counted(run(source, settings)) == (1, 0, 1)
    report = run(source, settings)
    assert counted(report) == (1, 1, 0)
    assert len(server.asked("/7_1.jpg")) == 1
    assert [row["image"] for row in listing(report)] == ["7_1.jpg", "7_2.jpg"]


def test_images_that_left_the_catalogue_leave_the_listing_and_keep_their_files(
    server: ImageServer, settings: Settings
) -> None:
    first, second = image(server, "7_1.jpg"), image(server, "7_2.jpg")
    run(Listed([first, second]), settings)
    report = run(Listed([second]), settings)
    assert [row["image"] for row in listing(report)] == ["7_2.jpg"]
    assert (report.folder / "7_1.jpg").exists()
    (note,) = report.notes
    assert note.startswith("1 file in") and "(7_1.jpg)" in note


def test_a_failed_refresh_keeps_the_older_file_in_the_listing(server: ImageServer, settings: Settings) -> None:
    source = Listed([image(server, "7_1.jpg", Answer(RED), Answer(status=404))])
    run(source, settings)
    report = run(source, settings, replace(QUICK, downloads=replace(QUICK.downloads, refresh=True)))
    assert counted(report) == (0, 0, 1)
    assert [row["image"] for row in listing(report)] == ["7_1.jpg"]


@pytest.mark.parametrize("bad", ["../out.jpg", "/tmp/out.jpg", "a/../../out.jpg", ".fetched.sqlite", "listing.csv", ""])
def test_nothing_is_written_outside_the_folder_nor_over_its_own_files(
    server: ImageServer, settings: Settings, bad: str
) -> None:
    address = server.give("/x", Answer(RED))
    report = run(Listed([CatalogueImage(bad, "7", address), image(server, "7_1.jpg")]), settings)
    assert counted(report) == (1, 0, 1)
    assert [(f.stage, f.image_id) for f in report.failures] == [("list", bad)]
    assert server.asked("/x") == []
    assert sorted(path.name for path in (settings.root / "dataset").rglob("*") if path.is_file()) == sorted(
        ["7_1.jpg", FILE_NAME, "listing.csv"]
    )


def test_a_link_out_of_the_folder_and_a_file_in_the_way_are_failures(
    server: ImageServer, settings: Settings, tmp_path: Path
) -> None:
    folder = settings.root / "dataset" / "shop"
    (folder / "taken.jpg").mkdir(parents=True)
    (folder / "file").write_bytes(RED)
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    ids = ["link/a.jpg", "taken.jpg", "file/a.jpg", "file/deep/a.jpg", "deep/er/a.jpg"]
    report = run(Listed(image(server, image_id) for image_id in ids), settings)
    assert [f.image_id for f in report.failures] == ids[:4]
    assert (folder / "deep/er/a.jpg").read_bytes() == RED
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_image_listed_twice_is_fetched_once_and_one_id_for_two_images_is_a_failure(
    server: ImageServer, settings: Settings
) -> None:
    first = image(server, "7_1.jpg")
    other = replace(first, location=server.give("/other", Answer(BLUE)))
    report = run(Listed([first, first, other, replace(first, product_id="8")]), settings)
    assert counted(report) == (2, 1, 1)  # the other product's is one more image
    assert (report.folder / "7_1.jpg").read_bytes() == (report.folder / "7_1.jpg#8").read_bytes() == RED


def test_images_of_this_machine_stay_where_they_are(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "here.jpg").write_bytes(RED)
    (tmp_path / "table.csv").write_text("sku,file,title\n7,here.jpg,Ball\n7,gone.jpg,Ball\n")
    report = run(open_source(tmp_path / "table.csv", settings=settings), settings)
    assert counted(report) == (0, 1, 1)
    assert [(f.stage, f.image_id) for f in report.failures] == [("read", "gone.jpg")]
    (kept,) = open_source(report.folder, settings=settings)
    assert (kept.image_id, kept.location) == ("here.jpg", str(tmp_path / "here.jpg"))


def test_bad_rows_are_counted_with_the_others(server: ImageServer, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text(f"sku,image_id,url\n7,7_1.jpg,{server.give('/1', Answer(RED))}\n,,x\n8,,\n")
    (tmp_path / "p.csv").write_text("sku,title\n7,Ball\n,Nobody\n")
    source = open_source(tmp_path / "i.csv", products=tmp_path / "p.csv", settings=settings)
    report = run(source, settings)
    assert counted(report) == (1, 0, 3)
    assert [f.location.rpartition("/")[2] for f in report.failures] == ["i.csv:3", "i.csv:4", "p.csv:3"]


def test_a_catalogue_that_breaks_off_changes_nothing(server: ImageServer, settings: Settings, tmp_path: Path) -> None:
    run(Listed([image(server, "7_1.jpg")]), settings)
    before = (settings.root / "dataset/shop/listing.csv").read_bytes()
    rows = "".join(f"{number},{server.address}/never\n" for number in range(5000))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(f"sku,url\n{rows}".encode())[:-50])
    with pytest.raises(CatalogueError, match="cut short"):
        run(open_source(tmp_path / "t.csv.gz", settings=settings), settings)
    assert (settings.root / "dataset/shop/listing.csv").read_bytes() == before
    assert server.asked("/never") == []


def test_progress_is_told_of_every_image(server: ImageServer, settings: Settings) -> None:
    reports: list[tuple[str, int, int | None]] = []
    source = Listed([image(server, "7_1.jpg"), image(server, "../x.jpg"), image(server, "7_2.jpg")])
    Workspace(settings=settings, progress=lambda *each: reports.append((*each, None)[:3])).extract(
        source, "shop", QUICK
    )
    assert [row for row in reports if row[0] == "download"] == [("download", 2, 3), ("download", 3, 3)]
    assert reports[-1] == ("download", 3, 3)
    assert any(row[0] == "list" for row in reports)


def test_two_runs_never_write_into_one_folder(server: ImageServer, settings: Settings) -> None:
    folder = settings.root / "dataset" / "shop"
    with FetchLog(folder):
        leftover = folder / ".7_1.jpg.0123abcd.part"  # the other run's, which is still at work
        leftover.touch()
        with pytest.raises(OutputError, match="another extract"):
            run(Listed([image(server, "7_1.jpg")]), settings)
        assert leftover.exists()
    assert server.requests == []


SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start deaf to it
import sys
from pathlib import Path
from image_similarity import Workspace
from image_similarity.options import DownloadOptions
Workspace(sys.argv[2]).extract(sys.argv[1], "shop", downloads=DownloadOptions(concurrency=3))
"""


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_run_killed_in_the_middle_leaves_whole_files_and_the_next_ends_it(
    server: ImageServer, settings: Settings, tmp_path: Path, kind: signal.Signals
) -> None:
    # Three images hang when the run is killed; one of them has sent half of its body.
    held = {3, 9, 12}
    answers = {n: Answer(picture("red", 32 + n), hold=n in (3, 12), half=n == 9) for n in range(20)}
    rows = [f"{n},{n}_1.jpg,{server.give(f'/{n}', answer)}\n" for n, answer in answers.items()]
    (tmp_path / "t.csv").write_text("sku,image_id,url\n" + "".join(rows))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "t.csv"), str(settings.root)],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: all(server.asked(f"/{n}") for n in held), process)
    finally:
        process.send_signal(kind)
        process.wait(20)
    server.released.set()
    folder = settings.root / "dataset" / "shop"
    (folder / ".4_1.jpg.0123abcd.part").write_bytes(b"half")  # as a kill between two bytes would leave it
    early = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
    assert "listing.csv" not in early
    assert early == {f"{n}_1.jpg": answers[n].body for n in range(12) if n not in held}
    report = run(open_source(tmp_path / "t.csv", settings=settings), settings)
    assert counted(report) == (20 - len(early), len(early), 0)
    assert {path.name: path.read_bytes() for path in folder.glob("*.jpg")} == {
        f"{n}_1.jpg": answer.body for n, answer in answers.items()
    }
    assert all(len(server.asked(f"/{n}")) == (2 if n in held else 1) for n in answers)


def wait_for(ready: Any, process: subprocess.Popen[bytes]) -> None:
    import time

    for _ in range(2000):
        if ready():
            return
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    raise AssertionError("the run never came that far")
