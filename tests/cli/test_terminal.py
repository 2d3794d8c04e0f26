"""How a command writes to a terminal, a pipe or a file, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image_similarity.errors import UsageError
from image_similarity.settings import Settings
from image_similarity.workspace import Workspace
from tests.conftest import paint

ANSI, LINES, TURNED, C1, HALF = (
    "\x1b[2J\x1b]0;owned\x07",
    "x\r\nerror: forged",
    "\u202egpj.exe\u2066",
    "\x9b31m",
    "a\x7f",
)
TITLES = {"red": ANSI, "green": LINES, "blue": TURNED, "white": "\x9b31ma\x7f"}
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
MODEL = "colour-shape"
SHOP = "--dataset shop --model colour-shape --workspace data"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose titles, ids and file names contain control characters."""
    folder = tmp_path_factory.mktemp("terminal")
    colours = ((250, 0, 0), (0, 250, 0), (0, 0, 250), (240, 240, 240))
    for name, colour in zip(TITLES, colours, strict=True):
        paint(folder / "pictures" / f"{name}_1.png", colour)
        paint(folder / "pictures" / f"{name}_2.png", colour, spot=3)
    (folder / "pictures" / "bad\x1b[31m\u202e_1.png").write_bytes(b"no picture")
    with (folder / "products.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("product_id", "title"), *TITLES.items()])
    Workspace(settings=Settings(root=folder / "data", precision="fp32")).fit(
        "shop", folder / "pictures", products=folder / "products.csv", model="colour-shape"
    )
    return folder


def command(text: str) -> list[str]:
    return [sys.executable, "-m", "image_similarity", *text.format(shop=SHOP).split()]


def run(text: str, shop: Path, **more: object) -> subprocess.CompletedProcess[str]:
    options: dict[str, object] = {"cwd": shop, "text": True, "timeout": 60, "stderr": subprocess.PIPE, **more}
    return subprocess.run(command(text), check=False, **options)  # type: ignore[call-overload,no-any-return]


def on_a_terminal(arguments: list[str], folder: Path) -> str:
    """All that a command writes to a terminal, which both of its streams are."""
    ours, its = pty.openpty()
    environment = os.environ | {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"}
    with subprocess.Popen(arguments, cwd=folder, stdin=its, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        seen = b""
        try:
            while piece := os.read(ours, 65536):
                seen += piece
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(ours)
        process.wait(60)
    return seen.decode().replace("\r\n", "\n")


TO_PEOPLE = (
    "similar {shop} red",
    "similar {shop} red --format csv",
    "similar {shop} red --format json",
    "search {shop} pictures/red_1.png",
    "failures --dataset shop --workspace data",
    "fit {shop} --catalogue pictures --products products.csv",
    "similar {shop} re\x1b[31md",
    "similar {shop} red more\x1b[31m",
    "search {shop} none\x1b[31m.jpg",
)


@pytest.mark.parametrize("text", TO_PEOPLE)
def test_foreign_text_cannot_control_a_terminal(text: str, shop: Path) -> None:
    seen = on_a_terminal(command(text), shop)
    assert seen and not CONTROLS.search(seen), seen
    assert not any(line.startswith("error: forged") for line in seen.split("\n"))


def test_the_first_versions_lines_cannot_control_a_terminal_and_ordinary_ones_stay(shop: Path) -> None:
    arguments = [
        "--task",
        "show_similar_items",
        "--dataset",
        "shop",
        "--transfer_model",
        "colour-shape",
        "--item",
        "red",
    ]
    script = "import sys; from image_similarity.cli.first_version import main; sys.exit(main())"
    seen = on_a_terminal([sys.executable, "-c", script, *arguments], shop)
    assert not CONTROLS.search(seen), seen
    assert "Most similar items to item: red\nNumber 1 : " in seen


def test_programs_get_every_title_as_it_is(shop: Path) -> None:
    as_json = json.loads(run("similar {shop} red --format json", shop, stdout=subprocess.PIPE).stdout)
    done = subprocess.run(command("similar {shop} red --format csv"), cwd=shop, capture_output=True, check=True)
    as_csv = csv.DictReader(io.StringIO(done.stdout.decode(), newline=""))
    expected = {name: title for name, title in TITLES.items() if name != "red"}
    assert {match["product_id"]: match["title"] for match in as_json["matches"]} == expected
    assert {row["product"]: row["title"] for row in as_csv} == expected


def test_an_encoding_without_a_letter_stops_nothing(shop: Path) -> None:
    for way in ("table", "csv", "json"):
        ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
        done = run(f"similar {{shop}} red --format {way}", shop, stdout=subprocess.PIPE, env=ascii_only)
        assert (done.returncode, done.stderr) == (0, ""), way
        if way == "json":
            assert TURNED in [match["title"] for match in json.loads(done.stdout)["matches"]]


EVERY = [
    *(f"similar {{shop}} red --format {way}" for way in ("table", "csv", "json")),
    *(f"search {{shop}} pictures/red_1.png --format {way}" for way in ("table", "csv", "json")),
    *(f"failures --dataset shop --workspace data --format {way}" for way in ("table", "json")),
    "evaluate {shop} --stored-only",
    "use --dataset shop --workspace data",
    "models list --workspace data --format json",
    "keys list --workspace data",
    "version",
    "similar --help",
]


@pytest.mark.parametrize("text", EVERY)
def test_a_full_standard_output_is_a_sentence(text: str, shop: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(text, shop, stdout=full)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] and "No space left" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize("text", EVERY)
def test_a_closed_pipe_ends_a_command_without_a_message(text: str, shop: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = run(text, shop, stdout=closed)
    assert done.returncode == 141
    assert "rror" not in done.stderr and "Exception" not in done.stderr, done.stderr


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "2>/dev/full", "0<&- 1>&- 2>&-"])
def test_a_stream_that_is_closed_stops_nothing(closed: str, shop: Path) -> None:
    line = " ".join([*command("similar {shop} red"), closed])
    done = subprocess.run(["bash", "-c", line], cwd=shop, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("main", "sent", "code"),
    [(False, signal.SIGINT, 130), (True, signal.SIGINT, 130), (False, signal.SIGTERM, 143), (True, signal.SIGHUP, 129)],
)
def test_a_fit_that_receives_a_signal_ends_with_a_short_message(
    main: bool, sent: signal.Signals, code: int, shop: Path, tmp_path: Path
) -> None:
    many = shop / "many"
    if not many.exists():
        many.mkdir()
        for number in range(300):
            paint(many / f"p{number}_1.png", (number % 256, 90, 20), (300, 300), spot=number + 1)
    flags = "--task fit --dataset many --transfer_model colour-shape" if main else f"fit {{shop}} --catalogue {many}"
    script = "import sys; from image_similarity.cli.first_version import main; sys.exit(main())"
    arguments = [sys.executable, "-c", script, *flags.split()] if main else command(flags)
    (tmp_path / "data" / "dataset").mkdir(parents=True)
    if main:
        (tmp_path / "data" / "dataset" / "many").symlink_to(many)
    before = time.monotonic()
    with subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not list((tmp_path / "data" / "database").glob("*-wal")):
            assert process.poll() is None and time.monotonic() - before < 60
        process.send_signal(sent)
        stderr = process.communicate(timeout=60)[1]
    assert process.returncode == code, stderr
    assert not list((tmp_path / "data").rglob("*.part"))
    assert "stopped\n" in stderr and "Traceback" not in stderr and "Exception" not in stderr


def test_an_error_names_options_and_the_command_line_its_flags(shop: Path) -> None:
    photo = shop / "pictures" / "red_1.png"
    done = run(f"search {{shop}} {photo} --min-match 0.5 --aggregate votes", shop)
    assert done.stderr == (
        "error: --min-match cannot be used here: --aggregate votes has no match probability: points do not say how "
        "similar a product is\n"
    )
    with pytest.raises(
        UsageError, match=r"^`min_match` cannot be used here: `aggregate` votes has no match probability"
    ):
        Workspace(shop / "data").search("shop", photo, model="colour-shape", min_match=0.5, aggregate="votes")
    first_version = ["--task", "fit", "--dataset", "shop", "--transfer_model", "VGG", "--weights_digest", "x"]
    script = [sys.executable, "-c", "import sys; from image_similarity.cli.first_version import main; sys.exit(main())"]
    done = subprocess.run([*script, *first_version], cwd=shop, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("error: --weights_digest takes an MD5")
