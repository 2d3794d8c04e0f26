"""Anything at all in what people write and hand over: filters, names, models, tables, the first version's files.

Each door takes it or says in a sentence why not; no other error leaves a room.
"""

from __future__ import annotations

import io
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, strategies as st

from image_similarity.catalogue import open_source
from image_similarity.catalogue.column_names import ColumnNames, parse_column_names, read_column_names
from image_similarity.catalogue.labels import read_labels
from image_similarity.catalogue.pairs import read_pairs
from image_similarity.catalogue.s3 import aws_keys
from image_similarity.catalogue.sources import failures_of
from image_similarity.dataset import Dataset
from image_similarity.errors import ImageSimilarityError
from image_similarity.index.arrays import map_bytes
from image_similarity.index.columns import Columns, ColumnsWriter
from image_similarity.index.filter_language import parse_filter
from image_similarity.index.filters import passing
from image_similarity.models.described import graph_of, read_description
from image_similarity.models.mixture import parse_expression
from image_similarity.models.model_folder import ModelFolder
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.store.recommendations import RecommendationStore
from image_similarity.types import CatalogueImage
from image_similarity.workspace import Workspace
from tests.conftest import paint
from tests.support.fuzzing import ODD, PATHS, TEXT, examples
from tests.support.tiny_networks import describe, mean_network

ANY = st.one_of(
    TEXT, st.sampled_from(("\0", "\ud800", "a" * 300, "9" * 5000, "\ufeffx", "=1+1", "\r", "[]", "{}", "nan"))
)
SETTINGS = Settings()


class Here:
    """A folder, and what can be made in it once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        writer = ColumnsWriter(folder)
        writer.write([{"price": "3", "brand": "a", "mixed": "x"}, {"price": "4.5 EUR", "mixed": "7"}, {"brand": "b"}])
        parts = writer.finish()
        self.columns = Columns(map_bytes(folder / "columns.bin"), parts, 3)
        self.network = mean_network(folder / "tiny.onnx")

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Here:
    return Here(tmp_path_factory.mktemp("inputs"))


def said(error: ImageSimilarityError) -> None:
    """A sentence."""
    assert str(error).strip()


def all_of(*asking: Callable[[], object]) -> None:
    """Each of these gives something, or a sentence."""
    for ask in asking:
        try:
            ask()
        except ImageSimilarityError as error:
            said(error)


# Filters -----------------------------------------------------------------------------------------------------------

PIECES = (
    *("price", "brand", "mixed", "[a b]", "[a]]b]", "x.y", "and", "or", "not", "in", "between", "(", ")", ",", "="),
    *(
        "!=",
        "<",
        ">=",
        "<>",
        "==",
        '"a"',
        "'b'",
        '"',
        "'",
        "[",
        "3",
        "-1",
        "4.5",
        "1e999",
        "1e-999",
        "0x1",
        "\0",
        "\ud800",
    ),
    *("9" * 400, '""', '"\ud800"', "null", "٣", "3.", ".5", "+7", "(" * 60, ")" * 60, "not " * 60),
)


@examples(50)
@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join), ANY))
def test_any_filter(here: Here, text: str) -> None:
    try:
        passing(parse_filter(text), here.columns, 3).mask()
    except ImageSimilarityError as error:
        said(error)
        assert "\n" not in str(error) or "\n" in text


# Models ------------------------------------------------------------------------------------------------------------


@examples(40)
@given(
    st.lists(st.one_of(st.sampled_from(("A", "B", "+", "*", "2", "0", "1e999", ".5", "adapted", " ")), ANY)).map(
        "".join
    )
)
def test_any_expression(text: str) -> None:
    try:
        expression = parse_expression(text, lambda name: name in ("A", "B"))
    except ImageSimilarityError as error:
        said(error)
    else:
        assert all(0 < part.weight < math.inf for part in expression.parts)


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), ANY, st.sampled_from((0, 1, 3, 4, -1, 1e9, 10**30))
)
VALUE = st.one_of(PLAIN, st.lists(PLAIN, max_size=4), st.dictionaries(st.sampled_from("ab"), PLAIN, max_size=2))
FIELDS = (
    *("name", "file", "dimension", "input_size", "layout", "licence", "format", "sha256", "resize", "interpolation"),
    *("mean", "std", "output", "commercial_use", "source", "shorter_side", "any_size", "what"),
)


def toml(value: Any) -> str:
    """A value as TOML, or what is none."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    return "" if value is None else json.dumps(value, ensure_ascii=True)


@examples(25)
@given(st.dictionaries(st.sampled_from(FIELDS), st.one_of(VALUE, st.sampled_from(PATHS)), min_size=1, max_size=3))
def test_any_field_of_a_description(here: Here, changes: dict[str, Any]) -> None:
    path = describe(here.network)
    lines = [line for line in path.read_text().splitlines() if line.split(" ", 1)[0] not in changes]
    lines += [f"{name} = {toml(value)}" for name, value in changes.items()]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    try:
        graph_of(read_description(ModelChoice(str(path))))
    except ImageSimilarityError as error:
        said(error)


@examples(30)
@given(
    st.one_of(
        st.binary(max_size=60), ANY.map(lambda text: text.encode(errors="surrogatepass")), st.just(b"a=" + b"[" * 9999)
    )
)
def test_any_file_as_a_description_or_as_names_of_columns(here: Here, content: bytes) -> None:
    path = here.file("any.toml", content)
    all_of(
        lambda: read_description(ModelChoice(str(path))),
        lambda: ColumnNames.given(read_column_names(path)),
    )


LOCKED = {"repo": "a/b", "revision": "c" * 40, "licence": "MIT", "files": {"x.onnx": {"sha256": "0" * 64, "bytes": 5}}}
LOCK_PARTS = ("warned", "models", "format", "entry", *LOCKED)


@examples(30)
@example("warned", None)
@example("repo", "a\0b")
@example("entry", "\ud800")
@given(st.sampled_from(LOCK_PARTS), VALUE)
def test_any_value_in_a_lock(here: Here, part: str, value: Any) -> None:
    entry = LOCKED | {part: value} if part in LOCKED else LOCKED
    lock = {"format": 1, "models": {"SigLIP2-B-224": value if part == "entry" else entry}, "warned": []}
    if part in lock:
        lock[part] = value
    here.file("models.lock", json.dumps(lock).encode())
    folder = ModelFolder(here.folder)
    all_of(lambda: folder.was_warned("a"), lambda: folder.add_warned("b"), lambda: folder.entries())
    all_of(lambda: folder.is_complete("SigLIP2-B-224"), lambda: folder.verified("SigLIP2-B-224", "x.onnx"))


# Names -------------------------------------------------------------------------------------------------------------


@examples(40)
@given(
    st.dictionaries(st.one_of(st.sampled_from(("image", "product", "images")), ANY), VALUE, max_size=3), st.lists(ANY)
)
def test_any_names_of_columns(here: Here, names: dict[str, Any], written: list[str]) -> None:
    path = here.file(
        "names.toml", "\n".join(f"{json.dumps(k)} = {toml(v)}" for k, v in names.items()).encode(errors="replace")
    )
    all_of(
        lambda: ColumnNames.given(names),
        lambda: ColumnNames.given(read_column_names(path)),
        lambda: ColumnNames.given(parse_column_names(written)),
    )


@examples(20)
@given(ANY)
def test_any_name_of_a_dataset(here: Here, name: str) -> None:
    try:
        named = Dataset.named(name)
    except ImageSimilarityError as error:
        said(error)
    else:
        (here.folder / named.recommendations("key")).touch()
        (here.folder / named.label).mkdir(exist_ok=True)


# Tables ------------------------------------------------------------------------------------------------------------

HEADERS = (
    *(
        "product_id",
        "id",
        "sku",
        "image",
        "images",
        "image_link",
        "image2",
        "image_id",
        "title",
        "description",
        "price",
    ),
    *("query", "similar_product_id", "verdict", "", " ", "product_id", "Image ", "pixl_id", "colour"),
)
CELLS = st.one_of(
    ANY,
    st.sampled_from(
        (
            *(
                "p1",
                "a.png",
                "a.png,b.png",
                '["a.png", "b.png"]',
                "['a.png']",
                "{a.png}",
                "[" * 500,
                '[{"src": "a.png"}]',
            ),
            *(
                "http://[::1",
                "http://a:99999/x.png",
                "data:image/png;base64,AAAA",
                "//h/x.png",
                "s3://b/k",
                "file:///x",
            ),
            *(
                "%00.png",
                "a\0.png",
                "C:\\x.png",
                "../../x.png",
                "~/x.png",
                "1.0",
                "0017",
                "bad",
                "None",
                "nan",
                "a|b.png",
            ),
        )
    ),
)
ROWS = st.lists(st.lists(CELLS, max_size=7), max_size=6)
HEADER = st.lists(st.one_of(st.sampled_from(HEADERS), ANY), min_size=1, max_size=7)


def taken(path: Path) -> None:
    """Read a table as everything that it may be."""
    source = open_source(path, settings=SETTINGS)
    images, products = list(source), list(source.products())
    assert all(isinstance(image, CatalogueImage) and image.image_id and image.product_id for image in images)
    assert all(product.product_id for product in products)
    assert all(failure.reason for failure in failures_of(source))


def read_all(path: Path) -> None:
    all_of(
        lambda: taken(path),
        lambda: read_labels(str(path), SETTINGS),
        lambda: read_pairs(str(path), SETTINGS),
    )


@examples(25)
@given(
    HEADER, ROWS, st.sampled_from(",;\t|"), st.sampled_from(("utf-8", "utf-16", "cp1252")), st.sampled_from(("", '"'))
)
def test_any_rows_of_a_delimited_table(
    here: Here, header: list[str], rows: list[list[str]], divider: str, encoding: str, quote: str
) -> None:
    quoted = [[f"{quote}{cell}{quote}" for cell in row] for row in [header, *rows]]
    text = "\n".join(divider.join(row) for row in quoted)
    read_all(here.file("table.csv", text.encode(encoding, "replace")))


JSON = st.recursive(
    st.one_of(CELLS, st.none(), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(HEADERS), ANY), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.one_of(st.sampled_from(HEADERS), ANY), JSON, max_size=6)


@examples(25)
@given(st.lists(OBJECT, max_size=5), st.sampled_from(("lines", "array", "wrapped")), st.booleans())
def test_any_rows_of_json(here: Here, rows: list[dict[str, Any]], form: str, escaped: bool) -> None:
    whole: Any = rows if form == "array" else {"products": rows}
    dumped = [json.dumps(each, ensure_ascii=escaped) for each in (rows if form == "lines" else [whole])]
    read_all(here.file("table.jsonl", "\n".join(dumped).encode(errors="surrogatepass")))


@examples(30)
@given(
    st.binary(max_size=200), st.sampled_from((b"", b"\x1f\x8b", b"PAR1", b"product_id,image\n", b"{", b"[", b"<?xml"))
)
def test_any_bytes_as_a_table(here: Here, content: bytes, start: bytes) -> None:
    read_all(here.file("bytes.csv", start + content))


KINDS: tuple[Any, ...] = (
    *([None, "a", "p1"], [b"\xff", b"x", None], [1, 2, 3], [1.5, math.nan, None], [True, None, False]),
    *([["a.png"], [], None], [{"src": "a.png"}, {"src": None}, None], [[{"x": [1]}], [], [None]], [None, None, None]),
)


@examples(20)
@given(
    st.dictionaries(st.one_of(st.sampled_from(HEADERS), TEXT), st.sampled_from(KINDS), min_size=1, max_size=6),
    st.data(),
)
def test_any_columns_of_parquet(here: Here, columns: dict[str, Any], data: st.DataObject) -> None:
    table = pa.table({name.encode(errors="replace").decode(): pa.array(values) for name, values in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(0, 2))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_all(here.file("table.parquet", bytes(content)))


FEED = ("g:id", "id", "image_link", "title", "x", "g:price")


@examples(30)
@given(st.lists(st.lists(st.tuples(st.sampled_from(FEED), CELLS), max_size=5)))
def test_any_items_of_a_feed(here: Here, items: list[list[tuple[str, str]]]) -> None:
    inside = ["".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in item) for item in items]
    whole = f'<rss xmlns:g="http://base.google.com/ns/1.0">{"".join(f"<item>{each}</item>" for each in inside)}</rss>'
    read_all(here.file("feed.xml", whole.encode(errors="surrogatepass")))


NAMED = st.tuples(ANY, st.dictionaries(st.one_of(st.sampled_from(HEADERS), ANY), JSON, max_size=5))


@examples(10)
@example([("b\ud800", {"co\ud800": "\udc00", "images": ["\ud800.png"], "title": "half a face \ud83d"})])
@given(st.lists(NAMED, min_size=1, max_size=4))
def test_any_rows_end_in_a_fit(here: Here, rows: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever a feed says of its products: the store, the index and the answers take it."""
    paint(here.folder / "a.png", (250, 0, 0))
    lines = [json.dumps({"product_id": "good", "image": "a.png", "price": "3"})]
    lines += [json.dumps(attributes | {"product_id": name, "image": "a.png"}) for name, attributes in rows]
    table = here.file("fitted.jsonl", "\n".join(lines).encode())
    shop = Workspace(here.folder / "data")
    report = shop.fit("shop", table, model="colour", allow_removal=True)
    assert report.counts.done + report.counts.known >= 1
    found = shop.search("shop", here.folder / "a.png", model="colour", filter="price = 3")
    assert "good" in [match.product_id for match in found.matches]
    for match in found.matches:
        shop.similar("shop", match.product_id, model="colour")


KEY_PIECES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "=", "'", '"', "\n", "x")


@examples(30)
@given(st.lists(st.one_of(st.sampled_from(KEY_PIECES), ANY)))
def test_any_file_of_keys(here: Here, pieces: list[str]) -> None:
    path = here.file("config.py", "".join(pieces).encode(errors="surrogatepass"))
    all_of(lambda: aws_keys(path), lambda: aws_keys(here.folder / "".join(pieces)))


# Dictionaries of the first version -----------------------------------------------------------------------------------


class Runs:
    """What a pickle must never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("was run", "w"))


PICKLED = st.recursive(
    st.one_of(ANY, st.none(), st.integers(), st.binary(max_size=5), st.builds(Runs), st.just(np.float32(1))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY, inner, max_size=3)),
    max_leaves=6,
)


@examples(20)
@given(st.one_of(st.dictionaries(ANY, st.lists(ANY, max_size=3), max_size=3), PICKLED), st.integers(0, 5), st.data())
def test_any_pickle(here: Here, value: Any, protocol: int, data: st.DataObject) -> None:
    content = bytearray(pickle.dumps(value, protocol))
    for _ in range(data.draw(st.integers(0, 2))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    here.file("first_model_key.pickle", bytes(content))
    for product in (None, "p1", "\ud800", *ODD):
        try:
            found = RecommendationStore(None, here.folder, Dataset.named("first")).of("key")
            for match in found.similar(found.random_product() if product is None else product):
                assert isinstance(match.product_id, str)
            found.products()
        except ImageSimilarityError as error:
            said(error)
    assert not Path("was run").exists()
