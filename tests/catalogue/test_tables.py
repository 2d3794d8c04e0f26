"""Tables as catalogues: every format, and everything that can be wrong with one."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from image_similarity.catalogue import open_source
from image_similarity.catalogue.columns import Columns, as_text
from image_similarity.catalogue.rows import Row
from image_similarity.catalogue.sources import failures_of, product_failures_of
from image_similarity.catalogue.table_files import reading
from image_similarity.errors import CatalogueError
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, CatalogueSource

A = "https://shop.example/a.jpg"
B = "https://shop.example/b.jpg"


def table(folder: Path, content: str | bytes, name: str = "table.csv") -> CatalogueSource:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(path, settings=Settings())


def brief(images: Sequence[CatalogueImage]) -> list[tuple[str, str]]:
    return [(image.product_id, image.location) for image in images]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("zipped", [False, True])
def test_csv_with_any_separator_gzipped_or_not(tmp_path: Path, mark: str, zipped: bool) -> None:
    lines = [["product_id", "image", "title", "colour"], ["7", A, 'a "red", round; ball', "red"], ["8", B, "", ""]]
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows(lines)
    data = text.getvalue().encode()
    source = table(tmp_path, gzip.compress(data) if zipped else data, "listing.gz")
    for _ in range(2):  # more than once
        images = list(source)
        assert brief(images) == [("7", A), ("8", B)]
        assert [image.attributes for image in images] == [{"colour": "red"}, {}]
        assert [product.title for product in source.products()] == ['a "red", round; ball', ""]


def test_a_byte_order_mark_and_windows_lines_are_no_part_of_the_table(tmp_path: Path) -> None:
    source = table(tmp_path, b"\xef\xbb\xbfSKU;Image URL\r\n7;" + A.encode() + b"\r\n\r\n")
    assert brief(list(source)) == [("7", A)]
    assert failures_of(source) == []


@pytest.mark.parametrize("header", ["product_id,image", "Product ID,Path", "productId,imageUrl", "sku,address"])
def test_columns_are_known_by_many_names(tmp_path: Path, header: str) -> None:
    assert brief(list(table(tmp_path, f"{header}\n7,{A}\n"))) == [("7", A)]


def test_our_own_names_win_over_general_ones() -> None:
    columns = Columns.of(["url", "id", "Image_Link", "image", "Product_ID", "name", "title", "Colour", "colour"])
    assert (columns.product, columns.image, columns.title) == ("Product_ID", "image", "title")
    assert columns.attributes == ("url", "id", "Image_Link", "name", "Colour", "colour")


def test_json_lines_with_lists_and_changing_columns(tmp_path: Path) -> None:
    rows = [
        {"item_id": 7, "images": [A, B], "title": "Ball", "price": 3.0, "tags": ["x", "é"]},
        {"item_id": 8, "image": A, "image_id": "own.jpg", "title": None},
    ]
    source = table(tmp_path, "\n\n".join(json.dumps(row) for row in rows), "rows.jsonl")
    images = list(source)
    assert brief(images) == [("7", A), ("7", B), ("8", A)]
    assert images[0].attributes == {"price": "3", "tags": '["x", "é"]'}
    assert images[2].image_id == "own.jpg"
    assert [product.title for product in source.products()] == ["Ball", ""]


def test_parquet_is_read_with_lists_dates_and_without_its_pictures(tmp_path: Path) -> None:
    pq.write_table(
        pa.table(
            {
                "product_id": [7.0, 8.0],
                "images": [[A, B], [A]],
                "image_id": ["x", "y"],
                "since": [datetime.date(2024, 5, 1), None],
                "thumbnail": [b"\xff\xd8", b"\xff\xd8"],
            }
        ),
        tmp_path / "rows",
    )
    source = open_source(tmp_path / "rows", settings=Settings())
    images = list(source)
    assert brief(images) == [("7", A), ("7", B), ("8", A)]
    assert [image.image_id for image in images] == ["x-1", "x-2", "y"]
    assert [image.attributes for image in images] == [{"since": "2024-05-01"}] * 2 + [{}]


def test_many_rows_of_parquet_come_batch_by_batch(tmp_path: Path) -> None:
    count = 3000
    pq.write_table(pa.table({"sku": [str(i) for i in range(count)], "url": [A] * count}), tmp_path / "rows.parquet")
    images = list(open_source(tmp_path / "rows.parquet", settings=Settings()))
    assert [image.product_id for image in images] == [str(i) for i in range(count)]


def test_a_parquet_file_damaged_inside_says_where(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = pa.table(
        {"sku": [f"{number}" for number in range(5000)], "url": [f"{A}?{number}" for number in range(5000)]}
    )
    pq.write_table(rows, path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[100:3000] = bytes(2900)
    path.write_bytes(data)
    with pytest.raises(CatalogueError, match=r"rows\.parquet"):
        list(open_source(path, settings=Settings()))


def test_rows_are_yielded_before_the_table_is_read_to_its_end(tmp_path: Path) -> None:
    rows = "".join(f"{i},{A}\n" for i in range(5_000))
    source = table(tmp_path, gzip.compress(b"product_id,image\n" + rows.encode() + b"\xff\n")[:-9], "rows.gz")
    taken = iter(source)
    assert next(taken).product_id == "0"
    with pytest.raises(CatalogueError, match="cut short"):
        list(taken)


def test_an_image_address_gets_a_readable_id_of_its_own(tmp_path: Path) -> None:
    other = "https://shop.example/other/a.jpg?v=2"
    source = table(tmp_path, f"product_id,url\n7,{A}\n7,{other}\n8,{A}\n")
    ids = [image.image_id for image in source]
    assert len(set(ids)) == 3
    assert [name.startswith(("7_a-", "8_a-")) and name.endswith(".jpg") for name in ids] == [True] * 3
    assert ids == [image.image_id for image in source]


def test_the_scheme_is_known_in_any_case(tmp_path: Path) -> None:
    (image,) = table(tmp_path, "sku,url\n7,HTTPS://shop.example/A.jpg\n")
    assert image.is_remote
    assert image.location == "https://shop.example/A.jpg"


def test_paths_are_found_beside_the_table_and_in_images(tmp_path: Path) -> None:
    for name in ("a.jpg", "images/b.jpg", "images/deep/c.jpg", "d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    source = table(tmp_path, "sku,file\n1,a.jpg\n1,b.jpg\n1,deep/c.jpg\n1,d.jpg\n1,gone.jpg\n")
    expected = ["a.jpg", "images/b.jpg", "images/deep/c.jpg", "d.jpg", "gone.jpg"]
    assert [Path(image.location) for image in source] == [tmp_path / name for name in expected]
    assert [image.image_id for image in source] == ["a.jpg", "b.jpg", "deep/c.jpg", "d.jpg", "gone.jpg"]


def test_paths_that_lead_out_of_the_folder_are_believed_only_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"x")
    text = f"sku,file\n1,{outside}\n2,../outside.jpg\n3,/no/such.jpg\n4,../../no.jpg\n"
    source = table(tmp_path / "in", text)
    assert [image.product_id for image in source] == ["1", "2"]
    assert [(f.product_id, f.image_id) for f in failures_of(source)] == [("3", "/no/such.jpg"), ("4", "../../no.jpg")]


def test_a_bad_row_is_a_failure_with_its_line_and_the_others_go_on(tmp_path: Path) -> None:
    text = f'sku,url\n1,{A}\n,{A}\n2,\n3,{A},too,many\n4\n5,"{A}"x\n6,gopher://a/b\n7,{B}\n'
    source = table(tmp_path, text)
    for _ in range(2):
        assert [image.product_id for image in source] == ["1", "7"]
        failures = failures_of(source)
        assert [int(f.location.rpartition(":")[2]) for f in failures] == [3, 4, 5, 6, 7, 8]
        assert {f.stage for f in failures} == {"list"}
        assert [f.product_id for f in failures] == ["", "2", "", "4", "", "6"]


def test_a_quote_that_is_never_closed_is_not_swallowed(tmp_path: Path) -> None:
    source = table(tmp_path, f'sku,url\n1,{A}\n2,"{A}\n3,{A}\n')
    assert [image.product_id for image in source] == ["1", "3"]
    assert [failure.location.rpartition(":")[2] for failure in failures_of(source)] == ["3"]


def test_a_json_line_with_fewer_columns_takes_none_from_the_lines_after_it(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "image": "a.jpg", "title": "Red", "price": 5},
        {"id": "2", "image": "b.jpg"},
        {"id": "3", "image": "c.jpg", "title": "Blue", "price": 7},
    ]
    source = table(tmp_path, "\n".join(json.dumps(row) for row in rows), "rows.jsonl")
    assert [product.title for product in source.products()] == ["Red", "", "Blue"]
    assert [image.attributes.get("price") for image in source] == ["5", None, "7"]


def test_bad_json_lines_are_failures(tmp_path: Path) -> None:
    rows = ['{"sku": 1, "url": "' + A + '"}', "{broken", "[1, 2]", '{"url": "x"}', '{"sku": 2, "images": []}']
    deep = "[" * 100_000
    source = table(tmp_path, "\n".join([*rows, deep]), "rows.jsonl")
    assert [image.product_id for image in source] == ["1"]
    assert [f.location.rpartition(":")[2] for f in failures_of(source)] == ["2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"sku,colour,size\n1,red,2\n", "sku, colour, size"),
        (b"colour,url\n", "no product column"),
        (b"sku,sku,url\n", "two columns named sku"),
        (b'[{"sku": 1}]', "no image column"),
        (b'{"colour": 1, "size": 2}', "colour, size"),
        (b"{no json\n{none at all\n", "no row that is a JSON object; row 1: the line is not JSON"),
        (b'"sku"x,url\n', "header"),
        (b"PAR1 and no more", "Parquet"),
        (gzip.compress(b"sku,url\n" + b"1,x\n" * 5000, mtime=0)[:-20], "cut short"),
        (b"\x1f\x8bnonsense", "damaged"),
    ],
)
def test_a_table_that_is_none_is_refused_by_name_and_reason(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(CatalogueError, match=says) as caught:
        list(table(tmp_path, content, "odd.csv"))
    assert "odd.csv" in str(caught.value)


def test_a_product_table_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id;name;description;price\n7;Ball;Round;3\n7;Again;;\n;Nobody;;\n8;Bag;;\n")
    (tmp_path / "i.csv").write_text(f"sku,url,title\n7,{A},hidden\n")
    source = open_source(tmp_path / "i.csv", products=tmp_path / "p.csv", settings=Settings())
    products = list(source.products())
    assert [(p.product_id, p.title, p.description) for p in products] == [("7", "Ball", "Round"), ("8", "Bag", "")]
    assert products[0].attributes == {"price": "3"}
    assert [f.location.rpartition(":")[2] for f in product_failures_of(source)] == ["4"]
    assert failures_of(source) == []


def test_products_come_once_from_a_table_of_images_and_not_at_all_without_titles(tmp_path: Path) -> None:
    titled = table(tmp_path, f"sku,url,title\n7,{A},Ball\n7,{B},Ball\n8,{A},Bag\n")
    assert [p.title for p in titled.products()] == ["Ball", "Bag"]
    assert list(table(tmp_path, f"sku,url,colour\n7,{A},red\n").products()) == []


def test_a_listing_of_the_first_version_on_this_machine(tmp_path: Path) -> None:
    settings = Settings(image_address="https://images.example/p{pixl_id}/")
    path = tmp_path / "pixlIDs.gz"
    path.write_bytes(gzip.compress(b"product_id_model;id;title\n8156287;476862;Skate\n"))
    (image,) = open_source(path, settings=settings)
    assert (image.image_id, image.location) == ("8156287_476862.jpg", "https://images.example/p476862/")


def test_bad_lines_of_a_product_table_are_failures_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"sku": 7, "title": "Ball"}\n{broken\n{"title": "Nobody"}\n')
    (tmp_path / "i.csv").write_text(f"sku,url\n7,{A}\n")
    source = open_source(tmp_path / "i.csv", products=tmp_path / "p.jsonl", settings=Settings())
    assert [product.title for product in source.products()] == ["Ball"]
    assert [f.location.rpartition(":")[2] for f in product_failures_of(source)] == ["2", "3"]


def test_a_path_too_long_for_any_disk_is_one_that_is_not_there(tmp_path: Path) -> None:
    source = table(tmp_path, f"sku,file\n7,{'x' * 5000}.jpg\n8,/{'x' * 5000}.jpg\n")
    assert [image.product_id for image in source] == ["7"]
    assert [failure.product_id for failure in failures_of(source)] == ["8"]


def test_a_product_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text(f"sku,url\n7,{A}\n")
    with pytest.raises(CatalogueError, match=r"gone\.csv"):
        list(open_source(tmp_path / "i.csv", products=tmp_path / "gone.csv", settings=Settings()).products())


def test_an_unnamed_column_is_never_taken_for_one_that_is_missing(tmp_path: Path) -> None:
    source = table(tmp_path, f",sku,url,description\n0,7,{A},Round\n")
    assert [(p.title, p.description) for p in source.products()] == [("", "Round")]
    assert [image.attributes for image in source] == [{}]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (7, "7"), (7.0, "7"), (7.5, "7.5"), (float("nan"), ""), (True, "true"), ("\ud800", "?"), ("é", "é")],
)
def test_cells_as_text(value: object, text: str) -> None:
    assert as_text(value) == text


CELLS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6), st.sampled_from(",;\t"))
def test_what_csv_writes_is_read_back(rows: list[list[str]], mark: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=mark, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *rows])
    stream = io.BufferedReader(io.BytesIO(text.getvalue().encode()))
    wanted = [row for row in rows if any(map(str.strip, row))]  # a row of nothing is no row
    with reading(stream, "here") as read:
        assert [list(row.cells.values()) if isinstance(row, Row) else row for row in read.rows] == wanted
