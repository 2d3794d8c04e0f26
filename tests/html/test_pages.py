"""The page of answers: what it shows, and what it must never let through."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from PIL import Image

from image_similarity.errors import OutputError
from image_similarity.html import Card, CardImage, Page, Row, Section, fragment, write
from image_similarity.html.document import chunks, render
from image_similarity.html.markup import escape, file_name, shorten
from image_similarity.html.page import Why
from image_similarity.html.thumbnails import SIDE, data_address

VOID = {"meta", "link", "img", "path"}


class Outline(HTMLParser):
    """The elements of a document with their attributes, and the text outside ``<style>``; checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def shape(self) -> list[tuple[str, list[str]]]:
        """Elements and the names of their attributes: what no text of a catalogue may change."""
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def marked(self, name: str) -> list[str]:
        return [tag for tag, attributes in self.elements if name in (attributes.get("class") or "").split()]


def card(
    product_id: str = "p1",
    title: str = "Blue bag",
    description: str = "For every day.",
    rank: int | None = None,
    score: float | None = None,
    score_text: str = "",
    path: str = "/nowhere/p1.jpg",
    caption: str = "",
    right: bool | None = None,
) -> Card:
    return Card(product_id, title, description, rank, score, score_text, CardImage(path, caption), right)


def page(*rows: Row, title: str = "Look-alikes") -> Page:
    return Page(title, "What looks like what", [Section("Bags", "All of them.", rows)], [("Products", "2")], "make it")


def saved(path: Path, size: tuple[int, int] = (645, 800), mode: str = "RGB", **options: Any) -> str:
    Image.new(mode, size).save(path, **options)
    return str(path)


def opened(path: str) -> Image.Image:
    address = data_address(path)
    assert address is not None
    head, _, data = address.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


# The document ---------------------------------------------------------------------------------------------------------


def test_a_page_is_one_well_formed_document_that_fetches_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.jpg")
    text = render(page(Row(card(path=path), [card("p2", rank=1, score=0.9, path=path)], "A note")))
    outline = Outline(text)
    assert text.startswith("<!doctype html>")
    landmarks = ("h1", "main", "section", "h2", "ol", "script")
    assert [tag for tag, _ in outline.elements if tag in landmarks] == ["h1", "main", "section", "h2", "ol"]
    assert outline.all("html")[0]["lang"] == "en"
    assert all((image["src"] or "").startswith("data:image/jpeg;base64,") for image in outline.all("img"))
    assert [link["href"] for link in outline.all("link")] == ["data:,"]
    assert "http" not in text.replace("http-equiv", "") and "url(" not in text and "@import" not in text


def test_the_policy_forbids_everything_but_embedded_pictures_and_styles() -> None:
    (policy,) = (meta["content"] or "" for meta in Outline(render(page())).all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")


def test_everything_a_card_knows_is_on_the_page() -> None:
    answer = card("p-2", "Red bag", "Holds much.", rank=1, score=0.875, score_text="87.5 %")
    text = Outline(render(page(Row(card("p-1"), [answer], "A note")))).text
    for words in ("p-1", "Blue bag", "p-2", "Red bag", "Holds much.", "Rank 1", "Score 87.5 %", "A note"):
        assert words in text
    for words in ("Look-alikes", "What looks like what", "Bags", "All of them.", "Products", "make it"):
        assert words in text


def test_a_page_without_anything_is_still_a_page() -> None:
    outline = Outline(render(Page("", "", [Section("", "", [])])))
    assert "Nothing to show." in outline.text
    assert not outline.all("h2") and not outline.all("nav") and not outline.all("footer")


def test_several_sections_can_be_jumped_to() -> None:
    outline = Outline(render(Page("Two", "", [Section("One", "", []), Section("Other", "", [])])))
    targets = {"#" + (section["id"] or "") for section in outline.all("section")}
    assert {link["href"] for link in outline.all("a")} == targets == {"#section-1", "#section-2"}


def test_the_page_without_its_pictures_is_small() -> None:
    rows = [Row(card(description="word " * 1000), [card(rank=i, description="word " * 1000) for i in range(1, 11)])]
    assert len(render(page(*rows * 10))) < 9_000 + 10 * 11 * 1_000


# Rows and cards -------------------------------------------------------------------------------------------------------


def test_answers_are_an_ordered_list_that_the_keyboard_can_reach() -> None:
    outline = Outline(render(page(Row(card(title='A "b"'), [card(rank=3), card(rank=7), card()]))))
    assert [item.get("value") for item in outline.all("li")] == ["3", "7", None]
    (region,) = (div for div in outline.all("div") if div.get("role") == "group")
    assert region["tabindex"] == "0" and region["aria-label"] == 'Answers for A "b"'


def test_a_row_without_answers_says_so() -> None:
    outline = Outline(fragment([Row(card(), [])]))
    assert "No answers." in outline.text and not outline.all("ol")


@pytest.mark.parametrize(("right", "marks"), [(True, 1), (False, 0), (None, 0)])
def test_only_a_right_answer_is_marked(right: bool | None, marks: int) -> None:
    text = Outline(fragment([Row(card(), [card(rank=1, right=right)])])).text
    assert text.count("Right answer") == marks


def test_how_sure_an_answer_is_and_why_stand_with_it() -> None:
    answer = replace(
        card(rank=1), probability_text="93%, very likely the same product", why=Why(b"a photo", "shape 80%, colour 20%")
    )
    outline = Outline(fragment([Row(card(), [answer, card(rank=2)])]))
    assert "93%, very likely the same product" in outline.text and "shape 80%, colour 20%" in outline.text
    (image,) = outline.all("img")
    assert image["src"] == "data:image/jpeg;base64," + base64.b64encode(b"a photo").decode()
    assert image["alt"] == "Where the photo is like Blue bag"
    assert len(outline.marked("ims-probability")) == len(outline.marked("ims-why")) == 1


def test_a_product_without_a_title_is_named_by_its_id(tmp_path: Path) -> None:
    outline = Outline(fragment([Row(card("p-77", title=" ", path=saved(tmp_path / "x.png")), [])]))
    assert outline.marked("ims-untitled") == ["p"] and not outline.marked("ims-title")
    assert outline.all("article")[0]["aria-label"] == "p-77"
    assert outline.all("img")[0]["alt"] == "Image of p-77"


def test_the_caption_is_the_alternative_text(tmp_path: Path) -> None:
    outline = Outline(fragment([Row(card(path=saved(tmp_path / "x.png"), caption="from behind"), [])]))
    assert outline.all("img")[0]["alt"] == "from behind"


@pytest.mark.parametrize(
    ("scores", "widths"),
    [
        ([1.0, 0.5, 0.0, -0.3], ["100.0", "50.0", "0.0", "0.0"]),
        ([12.0, 3.0], ["100.0", "25.0"]),
        ([float("nan"), None, float("inf"), 0.25], ["25.0"]),
    ],
)
def test_bars_are_cosines_or_shares_of_the_best_points(scores: list[float | None], widths: list[str]) -> None:
    outline = Outline(fragment([Row(card(), [card(score=score) for score in scores])]))
    assert [span["style"] for span in outline.all("span") if "style" in span] == [f"width:{w}%" for w in widths]


def test_a_score_without_words_is_written_out_and_words_without_a_score_are_kept() -> None:
    text = Outline(fragment([Row(card(), [card(score=0.12345), card(score_text="no idea")])])).text
    assert "Score 0.123" in text and "Score no idea" in text


# Hostile and broken text ----------------------------------------------------------------------------------------------


def full(text: str) -> Page:
    one = replace(card(text, text, text, 1, 0.5, text, text, text, True), probability_text=text, why=Why(b"jpeg", text))
    return Page(text, text, [Section(text, text, [Row(one, [one], text)])] * 2, [(text, text)], text)


def test_markup_in_a_title_shows_as_text() -> None:
    outline = Outline(render(page(Row(card(title="<script>alert(1)</script>"), []))))
    assert "<script>alert(1)</script>" in outline.text and not outline.all("script")


@given(st.text(st.characters(), min_size=1).map(lambda text: "x" + text))
def test_no_text_adds_an_element_or_an_attribute(text: str) -> None:
    document = render(full(text))
    assert Outline(document).shape() == Outline(render(full("x"))).shape()
    document.encode("utf-8")


@pytest.mark.parametrize("text", ["</style><img src=x onerror=y>", "\"' onload='x", "]]>--><!--", "x&#60;b>", "&lt;b"])
def test_known_tricks_stay_text(text: str) -> None:
    outline = Outline(render(full(text)))
    assert outline.shape() == Outline(render(full("x"))).shape()
    assert text in outline.text


@given(st.text(st.characters()))
def test_escaped_text_reads_back_but_for_what_no_document_can_hold(text: str) -> None:
    written = escape(text)
    assert not set(written) & set("<>\"'\x00\ud800")
    assert len(Outline(f"<p>{written}</p>").text) == len(text)


@given(st.text(), st.integers(2, 40))
def test_a_shortened_text_is_one_line_of_at_most_that_length(text: str, length: int) -> None:
    short = shorten(text, length)
    assert len(short) <= length and short == " ".join(short.split())


@pytest.mark.parametrize(
    ("location", "name"),
    [("/a/b.jpg", "b.jpg"), (r"C:\a\b.jpg", "b.jpg"), ("https://x.example/a/b.jpg", "b.jpg"), ("", "")],
)
def test_a_picture_is_named_by_the_last_part_of_its_place(location: str, name: str) -> None:
    assert file_name(location) == name


# Images ---------------------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_a_small_jpeg_with_the_pictures_shape(tmp_path: Path) -> None:
    image = opened(saved(tmp_path / "p.jpg", (1200, 600)))
    assert (image.format, image.size) == ("JPEG", (SIDE, SIDE // 2))


def test_a_small_picture_is_not_blown_up(tmp_path: Path) -> None:
    assert opened(saved(tmp_path / "p.png", (20, 10))).size == (20, 10)


def test_a_thumbnail_is_upright_and_leaves_the_cameras_tags_behind(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    image = opened(saved(tmp_path / "p.jpg", (800, 400), exif=tags))
    assert image.size == (SIDE // 2, SIDE)
    assert not dict(image.getexif())


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path: Path, mode: str) -> None:
    clear = {"transparency": 0} if mode == "P" else {}
    image = opened(saved(tmp_path / "p.png", (30, 30), mode, **clear))
    assert image.convert("RGB").getpixel((15, 15)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("L", "png"), ("I;16", "png"), ("CMYK", "jpg"), ("F", "tif")]
)
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    assert opened(saved(tmp_path / f"p.{suffix}", (30, 30), mode)).mode == "RGB"


def test_sixteen_bits_of_grey_stay_grey(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    Image.new("I;16", (30, 30), 128 * 257).save(path)
    value = opened(str(path)).convert("L").getpixel((15, 15))
    assert value in (127, 128, 129)


def test_a_picture_that_cannot_be_read_becomes_a_placeholder_with_its_name(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(Path(saved(tmp_path / "whole.jpg")).read_bytes()[:400])
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    paths = [str(cut), str(pipe), str(tmp_path), "https://shop.example/a.jpg", "with\0nul.jpg", "gone.jpg", ""]
    outline = Outline(fragment([Row(card(), [card(path=path) for path in paths])]))
    assert not outline.all("img")
    assert outline.marked("ims-missing") == ["div"] * (len(paths) + 1)
    for name in ("cut.jpg", "pipe.jpg", "a.jpg", "gone.jpg", "no image"):
        assert name in outline.text


def test_a_picture_that_declares_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    Image.new("1", (10_000, 10_001)).save(tmp_path / "p.png")
    assert data_address(str(tmp_path / "p.png")) is None


def test_a_picture_that_changed_is_read_again(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.png", (20, 10))
    before = data_address(path)
    saved(tmp_path / "p.png", (10, 20))
    os.utime(path, ns=(1, 1))
    assert data_address(path) != before


# Files and notebooks --------------------------------------------------------------------------------------------------


def test_the_file_holds_what_render_gives(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "page.html"
    shown = page(Row(card(title="Gürtel 腰带", path="half \udc80.jpg"), [card(rank=1)]))
    write(shown, target)
    assert target.read_text("utf-8") == render(shown)
    assert list(target.parent.iterdir()) == [target]


def test_rows_are_taken_one_at_a_time() -> None:
    taken: list[int] = []

    def rows() -> Iterator[Row]:
        for number in range(3):
            taken.append(number)
            yield Row(card(f"p{number}"), [])

    pieces = chunks(Page("Lazy", "", [Section("", "", rows())]))
    assert not taken
    for piece in pieces:
        if "p0" in piece:
            break
    assert taken == [0]


def test_a_page_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")

    def rows() -> Iterator[Row]:
        yield Row(card(), [])
        raise OSError("the disk is gone")

    with pytest.raises(OutputError):
        write(Page("Half", "", [Section("", "", rows())]), target)
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_a_fragment_brings_its_styles_and_no_document() -> None:
    outline = Outline(fragment([Row(card(), [card(rank=1)])]))
    tags = {tag for tag, _ in outline.elements}
    assert "style" in tags and not tags & {"html", "head", "body", "main", "h1", "h2", "script"}


def test_no_style_reaches_beyond_the_page() -> None:
    style = fragment([]).partition("<style>")[2].partition("</style>")[0]
    inside = [line.strip() for line in style.splitlines() if line.rstrip().endswith("}") or line.rstrip().endswith("{")]
    selectors = [line.partition("{")[0].strip() for line in inside if "{" in line and not line.startswith("@")]
    assert selectors and all(".ims" in part for selector in selectors for part in selector.split(","))
