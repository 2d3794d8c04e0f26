"""What is to be known of a catalogue reaches whoever runs a job: as lines, in Python, and in a report for scripts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.cli.first_version import main
from tests.support.servers import Answer, ImageServer, image_server, picture

SAME = "the same image at different addresses"


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


@pytest.fixture
def catalogue(tmp_path: Path, server: ImageServer) -> Path:
    """Two products with one placeholder, and a dot."""
    one, two = (server.give(f"/{name}.jpg", Answer(picture())) for name in ("a", "b"))
    dot = server.give("/dot.png", Answer(picture(size=1, kind="PNG")))
    path = tmp_path / "shop.csv"
    path.write_text(f"product_id,image\np1,{one}\np2,{two}\np3,{dot}\n")
    return path


def command(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_fit_that_downloads_says_what_an_extract_says(tmp_path: Path, catalogue: Path) -> None:
    notes: list[str] = []
    report = Workspace(tmp_path / "python", notes=notes.append).fit("shop", catalogue, model="colour-shape")
    assert tuple(notes) == report.notes
    assert any(SAME in each for each in notes) and any("a few pixels only" in each for each in notes)
    said = ("-d", "shop", "--catalogue", catalogue)
    code, _, lines = command("fit", "-w", tmp_path / "lines", *said, "-m", "colour-shape")
    assert code == 0
    assert [line for line in lines.splitlines() if line.startswith("Note: ")] == [f"Note: {each}" for each in notes]


@pytest.mark.parametrize("job", [["fit", "-m", "colour-shape"], ["extract"]], ids=["fit", "extract"])
def test_a_report_for_scripts_holds_whatever_is_said(tmp_path: Path, server: ImageServer, job: list[str]) -> None:
    cut = picture(size=64)[:-2]
    good, short, gone = (
        server.give("/good.jpg", Answer(picture("blue"))),
        server.give("/cut.jpg", Answer(cut)),
        server.give("/gone.jpg", Answer(status=404)),
    )
    catalogue = tmp_path / "shop.csv"
    catalogue.write_text(f"product_id,image,image2\np1,{good},\np2,{short},{gone}\n", encoding="cp1252")
    where = ("-w", tmp_path / "data", "-d", "shop", "--catalogue", catalogue)
    code, out, _ = command(*job, *where, "--format", "json")
    report = json.loads(out)
    assert code == 3
    assert (report["seen"], report["done"], report["failed"]) == (3, 2, 1)
    assert report["repaired"] == 1
    assert "images are read from 2 columns: image, image2" in report["notes"]
    (failure,) = report["failures"]
    assert (failure["product_id"], failure["location"]) == ("p2", gone)
    code, out, _ = command(*job, "-w", tmp_path / "strict", *where[2:], "--format", "json", "--strict")
    assert code == 3
    assert (json.loads(out)["failed"], json.loads(out)["repaired"]) == (2, 0)


def test_headers_reach_the_downloads_of_a_fit(tmp_path: Path, server: ImageServer) -> None:
    catalogue = tmp_path / "shop.csv"
    catalogue.write_text(f"product_id,image\np1,{server.give('/a.jpg', Answer(picture()))}\n")
    where = ("-w", tmp_path / "data", "-d", "shop", "--catalogue", catalogue, "-m", "colour-shape")
    assert command("fit", *where, "--header", "X-Key: 17")[0] == 0
    assert [headers.get("X-Key") for headers in server.asked("/a.jpg")] == ["17"]


def test_the_first_version_says_it_of_a_department(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], server: ImageServer
) -> None:
    listing = gzip.compress("product_id_model;id;title\n81;111;Café\n82;222;Thé\n".encode("cp1252"))
    server.give("/preprod.datamining/images/data/pixlIDs_domain_id_0341_dpt_num_department_371000.gz", Answer(listing))
    for name in ("111", "222"):
        server.give(f"/{name}.jpg", Answer(picture()))
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("IMAGE_SIMILARITY_S3_ENDPOINT", server.address)
    monkeypatch.setenv("IMAGE_SIMILARITY_IMAGE_ADDRESS", f"{server.address}/{{pixl_id}}.jpg")
    assert main(["--task", "extract_images", "--dpt_number", "371", "--header", "X-Key: 17"]) == 0
    said = capsys.readouterr().err
    assert SAME in said and "cp1252" in said
    assert [headers.get("X-Key") for headers in server.asked("/111.jpg")] == ["17"]
    notes: list[str] = []
    report = Workspace(notes=notes.append).extract_department(371)
    assert tuple(notes) == report.notes and any("cp1252" in each for each in notes)


def test_the_first_version_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "dataset" / "shop"
    folder.mkdir(parents=True)
    (folder / "p1_a.jpg").write_bytes(picture())
    (folder / "p2_a.jpg").write_bytes(picture("blue"))
    (folder / "products.csv").write_text("product_id,title\np1,One\np9,Nine\n")
    (folder / "weights.h5").write_text("")
    monkeypatch.chdir(tmp_path)
    assert main(["--task", "fit", "--dataset", "shop", "--transfer_model", "colour-shape"]) == 0
    said = capsys.readouterr().err
    assert "Note: 1 of 2 products of" in said and "have no image" in said
