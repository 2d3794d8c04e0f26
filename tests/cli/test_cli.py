"""The command line, as used by a script or a person."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from image_similarity.cli import main
from image_similarity.cli.app import app, app_for
from image_similarity.cli.fit_report import recall_lines
from image_similarity.fitting import WrittenRecommendations
from tests.conftest import MeanColour, paint
from tests.support.servers import Answer, image_server, picture
from tests.support.shop import known

SHOP = {
    "ball1_a": (200, 30, 30),
    "ball1_b": (190, 40, 30),
    "ball2_a": (180, 60, 30),
    "stick_a": (30, 40, 200),
    "stick2_a": (30, 60, 190),
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos in the first version's naming, and titles beside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IMAGE_SIMILARITY_WORKSPACE", raising=False)
    for name, colour in SHOP.items():
        paint(tmp_path / "photos" / f"{name}.png", colour, (40, 30))
    (tmp_path / "products.csv").write_text(
        "product_id,title,description\nball1,A red ball,Bounces\nball2,Ball&trade; [two],\nstick,A stick,Wood\n"
    )
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process; the result is its exit code."""
    monkeypatch.setattr(sys, "argv", ["image-similarity", *arguments])
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


FIT = ("fit", "-d", "shop", "--catalogue", "photos", "--products", "products.csv", "-m", "colour-shape", "-n", "3")
ARGS = ("-d", "shop", "-m", "colour-shape")


def test_fit_similar_search_evaluate(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *FIT) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "5 images seen: 5 embedded, 0 already known, 0 failed" in err
    assert "4 products with colour-shape: data/trained_models/shop_model_colour-shape.pickle and .parquet" in err

    assert run(monkeypatch, "similar", "ball1", *ARGS, "--format", "json", "--html", "pages/similar.html") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["query"]["title"] == "A red ball"
    assert [match["rank"] for match in answer["matches"]] == [1, 2, 3]
    assert answer["matches"][0]["product_id"] == "ball2"
    assert answer["matches"][0]["title"] == "Ball™ [two]"
    assert answer["matches"][0]["image_id"] == "ball2_a.png"
    assert "A red ball" in (shop / "pages" / "similar.html").read_text()

    assert run(monkeypatch, "search", "photos/stick_a.png", *ARGS, "-n", "1", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["rank"], row["product"], row["title"]) for row in rows] == [("1", "stick", "A stick")]
    assert float(rows[0]["score"]) == pytest.approx(1, abs=1e-3)

    assert run(monkeypatch, "evaluate", *ARGS, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 2
    for command in (("similar", "ball1"), ("search", "photos/stick_a.png"), ("evaluate",), ("failures",)):
        assert run(monkeypatch, *command, *(ARGS if command != ("failures",) else ARGS[:2])) == 0
    table = capsys.readouterr().out
    assert "Ball™ [two]" in table  # a title's brackets are not the table's markup
    assert "R@1" in table


def test_the_first_versions_points_are_shown_as_points(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *FIT, "--aggregate", "votes") == 0
    capsys.readouterr()
    assert run(monkeypatch, "similar", "stick", *ARGS) == 0
    shown = capsys.readouterr().out
    assert " points" in shown


def test_a_photo_comes_through_standard_input(shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image_similarity = [sys.executable, "-m", "image_similarity"]
    subprocess.run([*image_similarity, *FIT], check=True, capture_output=True)
    done = subprocess.run(
        [*image_similarity, "search", "-", *ARGS, "--format", "json"],
        input=(shop / "photos" / "ball1_b.png").read_bytes(),
        capture_output=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["query"]["product_id"] == "standard input"
    assert answer["matches"][0]["product_id"] == "ball1"


def test_failures_are_exit_code_3_and_listed(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "photos" / "torn_1.jpg").write_bytes(picture()[:200])
    (shop / "photos" / "page_1.jpg").write_text("<html>not found</html>")
    assert run(monkeypatch, *FIT) == 3
    assert "7 images seen: 5 embedded, 0 already known, 2 failed" in capsys.readouterr().err
    assert run(monkeypatch, "failures", "-d", "shop", "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(row["image"], row["stage"]) for row in listed] == [("page_1.jpg", "decode"), ("torn_1.jpg", "decode")]
    assert run(monkeypatch, "failures", "-d", "shop", "--format", "csv") == 0
    assert "a web page" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "recall", "search_recall", "expected"),
    [
        (50_000, None, None, []),
        (60_000, None, 0.995, ["more than 50000: searches are approximate, recall 99.5%"]),
        (
            200_000,
            0.9612,
            0.995,
            [
                "more than 100000: similar products are found approximately, recall 96.1%",
                "more than 50000: searches are",
            ],
        ),
    ],
)
def test_a_fit_says_where_not_every_row_is_compared_and_what_is_found_so(
    rows: int, recall: float | None, search_recall: float | None, expected: list[str]
) -> None:
    lines = list(recall_lines(WrittenRecommendations("key", rows, Path("x"), rows, recall, search_recall)))
    assert len(lines) == len(expected)
    assert all(part in line and f"{rows} images" in line for part, line in zip(expected, lines, strict=True))


def test_a_table_of_addresses_is_extracted_and_fitted(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with image_server() as server:
        server.give("/a.jpg", Answer(picture("red")))
        server.give("/b.jpg", Answer(picture("blue")))
        (shop / "table.csv").write_text(
            f"product_id;image_url;title\n1;{server.address}/a.jpg;Red\n2;{server.address}/b.jpg;Blue\n"
            f"3;{server.address}/gone.jpg;Gone\n"
        )
        command = ("extract", "-d", "net", "--catalogue", "table.csv", "--concurrency", "2", "--tries", "1")
        assert run(monkeypatch, *command) == 3
        err = capsys.readouterr().err
        assert "3 images seen: 2 downloaded, 0 already known, 1 failed" in err
        assert "gone.jpg" in err
        assert run(monkeypatch, "failures", "-d", "net", "--format", "csv") == 0
        (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
        assert (row["job"], row["product"], row["address"]) == ("extract", "3", f"{server.address}/gone.jpg")
        assert "404" in row["reason"]
        assert run(monkeypatch, *command) == 3
        assert "3 images seen: 0 downloaded, 2 already known, 1 failed" in capsys.readouterr().err
    assert run(monkeypatch, "fit", "-d", "net", "-m", "colour-shape") == 0
    capsys.readouterr()
    assert run(monkeypatch, "similar", "1", "-d", "net", "-m", "colour-shape", "--format", "csv") == 0
    assert ",2,Blue," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("similar", "x", "-d", "none"), 1, ["run fit first"]),
        (("similar", "bal1", *ARGS), 2, ["Did you mean", "ball1"]),
        (("similar", "ball1", "-d", "shop", "-m", "GPT"), 2, ["no model 'GPT'", "colour-shape"]),
        (("fit", "-d", "../x", "-m", "colour-shape"), 2, ["'../x' is no name for a dataset"]),
        (("fit", "-d", "nowhere", "-m", "colour-shape"), 1, ["there is no folder data/dataset/nowhere"]),
        (("fit", "-d", "x", "--catalogue", "missing", "-m", "colour-shape"), 1, ["no catalogue at missing"]),
        (("search", "missing.jpg", *ARGS), 2, ["missing.jpg", "No such file"]),
        (("search", "products.csv", *ARGS), 2, ["products.csv", "not an image"]),
        (
            ("search", "photos/ball1_a.png", *ARGS, "--data_augmentation", "1"),
            2,
            ["run fit with --data_augmentation 1"],
        ),
        (("extract",), 2, ["--dataset NAME --catalogue TABLE, or --dpt-number N"]),
        (("fit", "-d", "shop", "-m", "colour-shape", "--weights", "w.h5", "--catalogue", "photos"), 2, ["no weights"]),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    words: list[str],
) -> None:
    assert run(monkeypatch, *FIT) == 0
    capsys.readouterr()
    assert run(monkeypatch, *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert all(word in line for word in words), line


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'PIL', 'openvino', 'keras', 'pyarrow', 'httpx', 'boto3', 'rich'}"
    code = (
        "import sys; sys.argv = ['image-similarity', '--help']\n"
        "from image_similarity.cli import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        f"loaded = {heavy} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "similar" in done.stdout


def test_a_closed_pipe_is_no_error(shop: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m image_similarity --help | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_an_interrupted_run_says_how_to_go_on(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(MeanColour):
        def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise KeyboardInterrupt

    known(monkeypatch, Interrupted())
    assert run(monkeypatch, *FIT, "-m", MeanColour.spec.name) == 130
    assert "run the same command again to continue" in capsys.readouterr().err


def test_one_photo_on_two_products_serves_both(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "shared.csv").write_text(
        "product_id,image\na,photos/ball1_a.png\nb,photos/ball1_a.png\nc,photos/stick_a.png\n"
    )
    for expected in ("2 embedded, 1 already known", "0 embedded, 3 already known"):
        assert run(monkeypatch, "fit", "-d", "two", "--catalogue", "shared.csv", "-m", "colour-shape") == 0
        assert f"3 images seen: {expected}, 0 failed" in capsys.readouterr().err
    assert run(monkeypatch, "similar", "b", "-d", "two", "-m", "colour-shape", "--format", "csv") == 0
    first = next(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert first["product"] == "a"
    assert float(first["score"]) == pytest.approx(1, abs=1e-3)  # float16 on disk


EVERY = [*(each.callback.__name__ for each in app.registered_commands if each.callback), "models", "keys"]


@pytest.mark.parametrize("command", EVERY)
def test_a_command_that_is_made_alone_is_the_same_command(command: str) -> None:
    alone, among_all = (CliRunner().invoke(built, [command, "--help"]) for built in (app_for([command]), app))
    assert alone.exit_code == 0 and alone.output == among_all.output
    others = CliRunner().invoke(app_for([command]), ["--help"]).output.split("Commands:")[1]
    assert others.split()[0] == command and len(others.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["simila"], ["-"]])
def test_without_the_name_of_a_command_the_app_has_all(arguments: list[str]) -> None:
    assert app_for(arguments) is app
