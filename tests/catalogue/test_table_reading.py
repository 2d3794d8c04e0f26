"""Tables as shops write them: any encoding and separator, odd lines, damaged rows, JSON, Parquet, feeds, and bombs."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from image_similarity.catalogue.rows import BadRow, Row
from image_similarity.catalogue.table_files import reading
from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

HEADER = ["product_id", "image", "title", "price"]
ROWS = [
    ["p1", "a.jpg", "Größe 42 – Schuh", "12.50"],
    ["p2", "b.jpg", "Crème brûlée", "9.00"],
    ["p3", "c.jpg", "x", "7"],
]
TEXT = "\n".join(",".join(row) for row in [HEADER, *ROWS]) + "\n"
WIDE = TableLimits()
NARROW = TableLimits(unpacked_bytes=200_000, rows=1000, columns=50, cell_bytes=10_000, document_bytes=20_000)


def read(data: bytes, limits: TableLimits = WIDE) -> tuple[list[list[object]], list[BadRow], list[str]]:
    with reading(io.BufferedReader(io.BytesIO(data)), "feed", limits) as table:
        rows, bad = [], []
        for row in table.rows:
            rows.append(list(row.cells.values())) if isinstance(row, Row) else bad.append(row)
        return rows, bad, list(table.notes)


def cells_of(data: bytes) -> list[list[object]]:
    rows, bad, _ = read(data)
    assert bad == []
    return rows


@pytest.mark.parametrize("mark", list(",;\t|"))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_separator_encoding_and_line_end(mark: str, encoding: str, end: str) -> None:
    text = end.join(mark.join(row) for row in [HEADER, *ROWS]) + end
    rows, bad, notes = read(text.encode(encoding))
    assert (rows, bad) == (ROWS, [])
    assert any("cp1252" in note for note in notes) == (encoding == "cp1252")
    assert any("UTF-16" in note for note in notes) == encoding.startswith("utf-16")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda text: "sep=,\n" + text, "a line for Excel"),
        (lambda text: "Product export,,,\n" + text, "a title"),
        (lambda text: "Export of 2026-11-28, all shops\n\n" + text, "a title with a comma"),
        (lambda text: "# made by hand\n# twice\n" + text, "comments"),
        (lambda text: text.replace("\n", ",\n"), "separators after each row and the header"),
        (lambda text: text.replace("\n", ",,\n").replace("price,,", "price"), "separators after each row"),
        (lambda text: text + ",,,\n" * 40, "rows of nothing"),
        (lambda text: text.split("\n", 1)[0] + "\n" + text, "the header again, of two tables put together"),
        (lambda text: text + "\n \n\n", "empty lines"),
        (lambda text: text + "\x1a", "DOS' end of a file"),
        (lambda text: text.replace("p1,", '"p1", ', 1).replace("a.jpg", '"a.jpg"', 1), "a space before a quote"),
    ],
)
def test_what_stands_around_the_rows_costs_none_of_them(change: Callable[[str], str], what: str) -> None:
    rows = cells_of(change(TEXT).encode())
    assert [row[:4] for row in rows] == ROWS, what


def test_the_separator_is_the_one_that_divides_all_lines_alike() -> None:
    rows = cells_of(b"product_id|image|title\np1|a.jpg|one, two; three\np2|b.jpg|four, five, six\n")
    assert rows == [["p1", "a.jpg", "one, two; three"], ["p2", "b.jpg", "four, five, six"]]


def test_a_byte_that_is_none_of_the_encodings_costs_its_row_only() -> None:
    rows, bad, notes = read(TEXT.encode().replace(b"Cr", b"\xff"))
    assert (rows, notes) == ([ROWS[0], ROWS[2]], [])
    assert [row.number for row in bad] == [3]
    assert "0xff" in bad[0].reason


def test_a_thousand_rows_survive_a_quote_that_is_never_closed() -> None:
    lines = [f"p{number},a.jpg,Product {number}" for number in range(1000)]
    lines[10] = 'p10,a.jpg,"Product 10'
    rows, bad, _ = read("\n".join(["product_id,image,title", *lines]).encode())
    assert len(rows) == 999
    assert [row.number for row in bad] == [12]
    assert "quote" in bad[0].reason


def test_a_quote_that_another_rows_quote_closes_is_found_out() -> None:
    lines = [f"p{number},a.jpg,Product {number},5" for number in range(100)]
    lines[10] = 'p10,a.jpg,"Product 10,5'
    lines[60] = 'p60,a.jpg,27",5'
    rows, bad, _ = read("\n".join(["product_id,image,title,price", *lines]).encode())
    assert [row.number for row in bad] == [12]
    assert len(rows) == 99


def test_a_last_row_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    rows, bad, _ = read(b"product_id,image,title\np1,a.jpg,x\np2,b.j")
    assert (rows, [row.number for row in bad]) == ([["p1", "a.jpg", "x"]], [3])
    assert "cut short" in bad[0].reason
    assert cells_of(b"product_id,image,title\np1,a.jpg\np2,b.jpg") == [["p1", "a.jpg", ""], ["p2", "b.jpg", ""]]


@pytest.mark.parametrize(
    ("cell", "means"),
    [
        (r'"27\" monitor"', '27" monitor'),
        (r'"27\""', '27"'),
        ('"27" monitor"', '27" monitor'),
        ('27" monitor', '27" monitor'),
        ('"27"" monitor"', '27" monitor'),
        ('"C:\\"', "C:\\"),
    ],
)
def test_quotes_inside_cells_are_read_in_every_school(cell: str, means: str) -> None:
    assert cells_of(f'product_id,image,title\np1,a.jpg,{cell}\n"p2","b.jpg","Ball"\n'.encode()) == [
        ["p1", "a.jpg", means],
        ["p2", "b.jpg", "Ball"],
    ]


def test_cells_of_several_lines_are_whole() -> None:
    text = 'product_id,image,text\np1,"a.jpg\nb.jpg","one\r\n\r\ntwo, three"\np2,c.jpg,x\n'
    assert cells_of(text.encode()) == [["p1", "a.jpg\nb.jpg", "one\r\n\r\ntwo, three"], ["p2", "c.jpg", "x"]]


def test_a_large_cell_is_read_and_the_programs_own_limit_stays() -> None:
    before = csv.field_size_limit()
    long = "x" * 300_000
    assert cells_of(f'product_id,image,text\np1,a.jpg,{long}\np2,b.jpg,"{long}"\n'.encode())[1][2] == long
    assert csv.field_size_limit() == before


def test_a_repeated_column_stands_once_with_all_of_its_cells() -> None:
    data = b"id,image_link,price,image_link,price\np1,a.jpg,5,b.jpg,5\np2,c.jpg,6,,7\n"
    with reading(io.BufferedReader(io.BytesIO(data)), "feed") as table:
        assert table.header == ("id", "image_link", "price")
        assert table.repeated == {"image_link", "price"}
        assert [dict(row.cells) for row in table.rows if isinstance(row, Row)] == [
            {"id": "p1", "image_link": ["a.jpg", "b.jpg"], "price": "5"},
            {"id": "p2", "image_link": "c.jpg", "price": ["6", "7"]},
        ]


PRODUCTS = [{"product_id": "p1", "images": [{"src": "a.jpg"}]}, {"product_id": "p2", "images": [{"src": "b.jpg"}]}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PRODUCTS),
        json.dumps(PRODUCTS, indent=2),
        json.dumps({"products": PRODUCTS}),
        json.dumps({"meta": {"count": 2}, "links": [{"href": "x"}], "data": {"items": PRODUCTS}, "end": 1}, indent=1),
        "\n".join(map(json.dumps, PRODUCTS)),
        " ".join(map(json.dumps, PRODUCTS)),
        json.dumps({"categories": [{"slug": "x"}], "products": PRODUCTS}),
    ],
    ids=["array", "pretty array", "wrapped", "wrapped twice", "lines", "one behind the other", "the second list"],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_in_every_form(text: str, encoding: str) -> None:
    assert cells_of(text.encode(encoding)) == [["p1", [{"src": "a.jpg"}]], ["p2", [{"src": "b.jpg"}]]]


def test_one_json_line_alone_is_a_row() -> None:
    assert cells_of(json.dumps(PRODUCTS[0]).encode()) == [["p1", [{"src": "a.jpg"}]]]


def test_a_json_array_on_one_line_may_be_larger_than_any_line() -> None:
    many = [{"product_id": f"p{number}", "image": "a.jpg"} for number in range(900)]
    rows, _, _ = read(json.dumps(many).encode(), NARROW)
    assert len(rows) == 900
    rows, _, _ = read(json.dumps({"products": many}).encode(), NARROW)
    assert len(rows) == 900


@pytest.mark.parametrize("end", [30, 60, -1])
def test_a_json_document_that_was_cut_short_is_no_shorter_catalogue(end: int) -> None:
    with pytest.raises(CatalogueError, match="feed is damaged JSON, or cut short"):
        read(json.dumps(PRODUCTS).encode()[:end])


def test_parquet_gives_text_that_was_stored_as_bytes_and_pictures_as_they_are(tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    columns = {
        "product_id": [b"p1", b"p2"],
        "image": [picture, picture],
        "nested": [{"bytes": picture, "path": "a.png"}, None],
        "tags": [[b"x"], []],
    }
    pq.write_table(pa.table(columns), tmp_path / "t")
    assert cells_of((tmp_path / "t").read_bytes()) == [
        ["p1", picture, {"bytes": picture, "path": "a.png"}, ["x"]],
        ["p2", picture, None, []],
    ]


FEED = (
    '<?xml version="1.0"?>\n<rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>'
    "<item><g:id>p1</g:id><title>x &amp; y</title><g:image_link>a.jpg</g:image_link>"
    "<g:additional_image_link>b.jpg</g:additional_image_link><g:additional_image_link>c.jpg</g:additional_image_link>"
    "</item><item><g:id>p2</g:id><title>z</title><g:image_link>d.jpg</g:image_link></item></channel></rss>"
)


@pytest.mark.parametrize("packed", [False, True])
def test_an_xml_feed_is_read_item_by_item(packed: bool) -> None:
    data = FEED.encode()
    assert cells_of(gzip.compress(data) if packed else data) == [
        ["p1", "x & y", "a.jpg", ["b.jpg", "c.jpg"]],
        ["p2", "z", "d.jpg"],
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "web page"),
        (b"%PDF-1.7\n", "PDF"),
        (b"SQLite format 3\0", "database"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"<?xml version='1.0'?><a><b/></a>", "not a product feed"),
        (FEED.encode()[:300], "cut short"),
        (b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><item><id>&b;</id></item></rss>', "entities"),
        (b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><rss><item><id>1</id></item></rss>', "document type"),
        (b'{"meta": {"page": 1}, "links": [{"href": "x"}]}', "no list of products"),
    ],
)
def test_what_is_no_table_gets_a_plain_word(data: bytes, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        read(data)


def parquet(columns: dict[str, list[object]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, compression="zstd")
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"product_id,image\n" + b"p,https://example.invalid/a.jpg\n" * 20_000),
        gzip.compress(b"product_id,image\n" + b"p,a\n" * 2000),
        gzip.compress(b"product_id,image\np," + b"x" * 5_000_000),
        ",".join(f"c{number}" for number in range(60)).encode(),
        parquet({"product_id": ["p"] * 5000}),
        json.dumps([{"product_id": "p", "text": "x" * 100_000}]).encode(),
        f"<rss><item><id>{'x' * 100_000}</id></item></rss>".encode(),
    ],
    ids=["bytes", "rows", "one line", "columns", "rows of Parquet", "a value of JSON", "an item of XML"],
)
def test_a_table_that_unpacks_to_more_than_allowed_is_refused_while_it_is_read(data: bytes) -> None:
    with pytest.raises(CatalogueError, match=r"limit|larger"):
        read(data, NARROW)


def test_a_cell_that_is_too_large_costs_its_row_only() -> None:
    rows, bad, _ = read(parquet({"product_id": ["p1", "p2"], "text": ["x" * 20_000, "y"]}), NARROW)
    assert (rows, [row.number for row in bad]) == ([["p2", "y"]], [1])
    long = f"product_id,image,text\np1,a.jpg,{'x' * 30_000}\np2,b.jpg,y\n".encode()
    rows, bad, _ = read(long, NARROW)
    assert (rows, [row.number for row in bad]) == ([["p2", "b.jpg", "y"]], [2])


CELLS = st.text(st.characters(codec="cp1252", exclude_characters="\x1a\ufeff"), max_size=8)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3).filter(lambda row: any(map(str.strip, row))), max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_csv_writes_in_any_encoding_is_read_back(
    rows: list[list[str]], mark: str, encoding: str, quoting: int
) -> None:
    rows = [[cell if quoting == csv.QUOTE_ALL else cell.strip() or "x" for cell in row] for row in rows]
    text = io.StringIO()
    csv.writer(text, delimiter=mark, quoting=quoting).writerows([["product_id", "image", "title"], *rows])  # type: ignore[arg-type]
    found, bad, _ = read(text.getvalue().encode(encoding))
    assert (found, bad) == (rows, [])


@given(st.integers(0, 29), st.sampled_from(['"', '"x"y', "a,b,c,d,e", "\\", '""']))
def test_a_damaged_row_costs_at_most_itself(place: int, damage: str) -> None:
    rows = [f'p{number},"image, {number}.jpg",title' for number in range(30)]
    damaged = [*rows[:place], f"p{place},{damage}", *rows[place + 1 :]]
    found, bad, _ = read("\n".join(["product_id,image,title", *damaged]).encode())
    ids = [row[0] for row in found]
    assert [f"p{number}" for number in range(30) if number != place] == [name for name in ids if name != f"p{place}"]
    assert all(row.number == place + 2 for row in bad)


@given(st.binary(max_size=300) | st.binary(max_size=80).map(gzip.compress) | st.binary(max_size=80).map(b"[{".__add__))
def test_any_bytes_at_all_are_rows_or_an_error_for_people(data: bytes) -> None:
    try:
        read(data, NARROW)
    except CatalogueError as error:
        assert "feed" in str(error)
