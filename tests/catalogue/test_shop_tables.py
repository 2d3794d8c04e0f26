"""What rows, cells and folders mean: tables as shops export them, ids and paths as others write them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from image_similarity import Workspace
from image_similarity.catalogue import open_source
from image_similarity.catalogue.image_cells import images_in
from image_similarity.catalogue.product_join import matching_ids
from image_similarity.catalogue.sources import check, failures_of, notes_of
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.support.servers import picture

SETTINGS = Settings()
NAMES = st.from_regex(r"[a-z0-9 _()-]{1,8}", fullmatch=True).map(lambda name: f"{name.strip() or 'x'}.jpg")
ADDRESSES = st.from_regex(r"https://shop\.example/[a-z0-9,;|]{0,9}\.jpg", fullmatch=True)


def places(folder: Path, table: str, name: str = "t.csv", **columns: str | list[str]) -> list[tuple[str, str]]:
    (folder / name).write_text(table, encoding="utf-8")
    source = open_source(folder / name, columns=columns, settings=SETTINGS)
    found = [(image.product_id, image.location.removeprefix(f"{folder}/")) for image in source]
    assert failures_of(source) == []
    return found


@given(
    st.lists(NAMES, min_size=1, max_size=5, unique=True),
    st.sampled_from([",", ", ", ";", "|", " | ", "\n", "json", "python"]),
)
def test_several_names_in_a_cell_are_read_however_they_are_divided(names: list[str], divider: str) -> None:
    ways = {"json": json.dumps, "python": repr}
    cell = ways[divider](names) if divider in ways else divider.join(names)
    assert images_in(cell, lambda _: False) == names


@given(st.lists(ADDRESSES, min_size=1, max_size=4, unique=True), st.sampled_from([",", ", ", ";", "|", "\n", " "]))
def test_addresses_keep_the_signs_that_divide_others(addresses: list[str], divider: str) -> None:
    assert images_in(divider.join(addresses), lambda _: False) == addresses


@pytest.mark.parametrize(
    ("header", "row", "unread"),
    [
        ("sku,image,small_image,thumbnail,price", "1,a.jpg,s/a.jpg,t/a.jpg,9", "small_image, thumbnail"),
        ("id,image,Foto,title", "1,a.jpg,b.jpg,No. 1", "Foto"),
        ("id,image,thumb_url,link", "1,a.jpg,https://cdn.example/17,https://shop.example/p/1", "thumb_url"),
        ("id,image,link", "1,a.jpg,https://shop.example/p/1", None),
        ("id,image,image_alt,label", "1,a.jpg,a red ball,a.b", None),
    ],
)
def test_columns_with_pictures_that_are_not_read_are_said(
    tmp_path: Path, header: str, row: str, unread: str | None
) -> None:
    (tmp_path / "t.csv").write_text(f"{header}\n{row}\n")
    notes = check(open_source(tmp_path / "t.csv", settings=SETTINGS))
    said = [note for note in notes if "are not read" in note]
    assert said == ([f"{unread} also have images and are not read: map the columns to read all"] * bool(unread))


def test_shops_name_products_in_ways_of_their_own(tmp_path: Path) -> None:
    web = "https://cdn.example/"
    bigcommerce = f"Item,ID,Name,SKU,Image URL (Import)\nProduct,77,Ball,SH1,{web}a.jpg\n"
    assert places(tmp_path, bigcommerce) == [("SH1", f"{web}a.jpg")]
    wix = f"handleId,fieldType,productImageUrl,sku\nP1,Product,{web}a.jpg;{web}b.jpg,S1\nP1,Variant,,S1-a\n"
    assert places(tmp_path, wix) == [("P1", f"{web}a.jpg"), ("P1", f"{web}b.jpg")]
    squarespace = (
        f"Product ID [Non Editable],Variant ID [Non Editable],SKU,Hosted Image URLs\n5,6,S1,{web}a.jpg {web}b.jpg\n"
    )
    assert places(tmp_path, squarespace) == [("5", f"{web}a.jpg"), ("5", f"{web}b.jpg")]
    akeneo = "identifier;family;picture\na1;toys;files/a.jpg\n"
    paint(tmp_path / "files" / "a.jpg", (1, 2, 3))
    assert places(tmp_path, akeneo) == [("a1", "files/a.jpg")]


def test_a_path_of_another_machine_is_the_one_file_that_it_ends_as_or_a_word(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "pics/b.jpg", "images/c.jpg", "d.jpg"):
        paint(tmp_path / name, (len(name), 2, 3))
    rows = [
        r"C:\shop\a.jpg",
        r"D:/x/pics/b.jpg",
        r"\\server\share\c.jpg",
        "file:///E:/my%20shop/d.jpg",
        r"C:\o\gone.jpg",
    ]
    rows.append(r"C:\other\a.jpg")
    (tmp_path / "t.csv").write_text("id,image\n" + "".join(f"p{at},{each}\n" for at, each in enumerate(rows)))
    source = open_source(tmp_path / "t.csv", settings=SETTINGS)
    found = {image.product_id: str(Path(image.location).relative_to(tmp_path)) for image in source}
    assert found == {"p0": "a.jpg", "p1": "pics/b.jpg", "p2": "images/c.jpg", "p3": "d.jpg"}
    gone, taken = failures_of(source)
    assert "there is no file gone.jpg beside the table" in gone.reason
    assert r"so is C:\shop\a.jpg" in taken.reason
    assert any("4 paths of another machine" in note for note in notes_of(source))


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ('"7,8"', ["7", "8"]),
        ("7|8", ["7", "8"]),
        ('"[7, 8]"', ["7", "8"]),
        ("+7 -8", ["+7", "-8"]),
        ('"7,8,9"', ["7,8,9-1", "7,8,9-2"]),
        ("7", ["7-1", "7-2"]),
    ],
)
def test_a_list_of_image_ids_is_divided_as_the_images_are(tmp_path: Path, ids: str, found: list[str]) -> None:
    for name in ("a.jpg", "b.jpg"):
        paint(tmp_path / name, (1, 2, 3))
    (tmp_path / "t.csv").write_text(f"id,image_id,image\n1,{ids},a.jpg|b.jpg\n")
    assert [image.image_id for image in open_source(tmp_path / "t.csv", settings=SETTINGS)] == found


def test_a_file_with_a_comma_in_its_name_is_one_file() -> None:
    assert images_in("a.jpg,b.jpg", lambda text: text == "a.jpg,b.jpg") == ["a.jpg,b.jpg"]
    assert images_in("red, blue.jpg", lambda _: False) == ["red, blue.jpg"]
    resized = "https://shop.example/w_200,h_300/a.jpg"
    assert images_in(f"{resized}, {resized}?2", lambda _: False) == [resized, f"{resized}?2"]
    assert images_in("[{'src': 'a.jpg'}, {'src': 'b.jpg'}]", lambda _: False) == ["a.jpg", "b.jpg"]
    assert images_in("a.jpg\tb.jpg", lambda _: False) == ["a.jpg", "b.jpg"]
    assert images_in([{"src": "a.jpg"}, {"url": "b.jpg"}, None], lambda _: False) == ["a.jpg", "b.jpg"]


@given(st.sets(st.from_regex(r"0{0,2}[0-9]{1,3}(\.0)?|[a-cA-C]{1,2} ?", fullmatch=True), max_size=8), st.data())
def test_ids_are_joined_one_to_one_and_never_away_from_their_like(images: set[str], data: st.DataObject) -> None:
    described = data.draw(
        st.sets(st.sampled_from(sorted(images) or ["1"]) | st.from_regex(r"[0-9]{1,2}", fullmatch=True))
    )
    found = matching_ids(images, described)
    assert len(set(found.values())) == len(found)
    assert not set(found) & images
    assert set(found.values()) <= images - described


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("['a.jpg' 'b.jpg']", ["a.jpg", "b.jpg"]),
        ("[{'src': 'a.jpg', 'alt': 'nice'}, {'src': 'b.jpg'}]", ["a.jpg", "b.jpg"]),
        ('{"images": [{"url": "a.jpg", "width": 5}]}', ["a.jpg"]),
        ('{"main": "a.jpg", "back": {"url": "b.jpg"}, "alt": "nice", "width": 5}', ["a.jpg", "b.jpg"]),
        ("('a.jpg', 'b.jpg')", ["a.jpg", "b.jpg"]),
        ("{a.jpg,b.jpg}", ["a.jpg", "b.jpg"]),
        ("[None]", []),
        ("[]", []),
        (" a.jpg;;b.jpg; ", ["a.jpg", "b.jpg"]),
    ],
)
def test_lists_and_objects_written_into_a_cell(cell: str, found: list[str]) -> None:
    assert images_in(cell, lambda _: False) == found


def test_products_are_joined_where_there_is_no_doubt_and_refused_where_nothing_joins(tmp_path: Path) -> None:
    for name in "ab":
        paint(tmp_path / f"{name}.png", (250, 0, 0))
    (tmp_path / "images.csv").write_text("product_id,image\n0017,a.png\n Ab-1,b.png\n")
    (tmp_path / "p.csv").write_text("product_id,title\n17.0,Shoe\nab-1,Hat\n9,Ball\n")
    source = open_source(tmp_path / "images.csv", products=tmp_path / "p.csv", settings=SETTINGS)
    notes = check(source)
    assert [product.product_id for product in source.products()] == ["0017", "Ab-1", "9"]
    assert any("spelled differently" in note for note in notes)
    assert any("have no image" in note for note in notes)
    (tmp_path / "p.csv").write_text("product_id,title\nq1,Shoe\n")
    told: list[str] = []
    workspace = Workspace(settings=Settings(root=tmp_path / "data"), notes=told.append)
    with pytest.raises(CatalogueError, match=r"no product of .* has an image"):
        workspace.fit("shop", tmp_path / "images.csv", products=tmp_path / "p.csv", model="colour-shape")
    assert not (tmp_path / "data").exists()


def test_columns_of_shops(tmp_path: Path) -> None:
    assert places(tmp_path, "SKU,ID,Images\n,7,a.jpg\ns8,8,b.jpg\n") == [("7", "a.jpg"), ("s8", "b.jpg")]
    shopify = "Handle,Title,Image Src\nshoe,Red,a.jpg\nshoe,,b.jpg\nshoe,,\n"
    assert places(tmp_path, shopify) == [("shoe", "a.jpg"), ("shoe", "b.jpg")]
    assert places(tmp_path, "ean,image,image2\n4006,a.jpg,b.jpg\n") == [("4006", "a.jpg"), ("4006", "b.jpg")]
    magento = "sku,base_image,small_image,additional_images\n1,a.jpg,s.jpg,b.jpg\n"
    assert places(tmp_path, magento) == [("1", "a.jpg"), ("1", "b.jpg")]
    assert places(tmp_path, "item_sku,main_image_url,other_image_url1\n1,a.jpg,b.jpg\n") == [
        ("1", "a.jpg"),
        ("1", "b.jpg"),
    ]
    assert places(tmp_path, "product_id,image,images\np1,,a.jpg\np2,b.jpg,\n") == [("p1", "a.jpg"), ("p2", "b.jpg")]
    assert places(tmp_path, "Nr,Foto\n1,a.jpg\n", product="Nr", image="Foto") == [("1", "a.jpg")]
    with pytest.raises(UsageError, match="has no column 'Bild'"):
        check(open_source(tmp_path / "t.csv", columns={"image": "Bild"}, settings=SETTINGS))


@pytest.mark.parametrize(
    "written", ["images\\A b.JPG", "./Images/a%20b.jpg", "/images/a b.jpg", "IMAGES/a b.jpg", "/images/a%20b.jpg?v=3"]
)
def test_a_path_as_other_systems_write_it_finds_its_one_file(tmp_path: Path, written: str) -> None:
    paint(tmp_path / "images" / "a b.jpg", (250, 0, 0))
    assert places(tmp_path, f"product_id,image\np1,{written}\n") == [("p1", "images/a b.jpg")]


def test_folders_two_deep_and_names_of_a_camera(tmp_path: Path) -> None:
    for name in ("deep/shoes/p1/1.jpg", "deep/hats/p2/1.png", "camera/IMG_0001.jpg", "camera/IMG_0002.jpg"):
        paint(tmp_path / name, (250, 0, 0))
    (tmp_path / "camera" / "notes.pdf").write_text("x")
    deep = open_source(tmp_path / "deep", settings=SETTINGS)
    assert sorted(image.product_id for image in deep) == ["p1", "p2"]
    notes = check(open_source(tmp_path / "camera", settings=SETTINGS))
    assert any("2 images are taken for one product, 'IMG'" in note for note in notes)
    assert any("skipped: .pdf" in note for note in notes)


@pytest.mark.parametrize(
    ("names", "is_said"),
    [
        (("shoe-1.jpg", "shoe-2.jpg", "hat-1.jpg"), True),
        (("shoe (1).jpg", "shoe (2).jpg"), True),
        (("shoe 1.jpg", "shoe 2.jpg", "hat.jpg", "cap.jpg"), True),
        (("AB-12.jpg", "AB-13.jpg"), False),  # codes
        (("1.jpg", "2.jpg"), False),
        (("shoe_1.jpg", "shoe_2.jpg", "hat_1.jpg"), False),
    ],
)
def test_names_that_number_the_images_of_a_product_are_said_before_the_work(
    tmp_path: Path, names: tuple[str, ...], is_said: bool
) -> None:
    for name in names:
        paint(tmp_path / name, (250, 0, 0))
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    paint(tmp_path / "__MACOSX" / "._shoe-1.jpg", (250, 0, 0))  # a system's own
    source = open_source(tmp_path, settings=SETTINGS)
    notes = check(source)
    assert any("numbered like the images of one product" in note for note in notes) == is_said
    assert failures_of(source) == [] and len(notes) == is_said


def test_a_table_beside_the_images_that_lists_them_itself_is_pointed_at(tmp_path: Path) -> None:
    paint(tmp_path / "images" / "a.jpg", (250, 0, 0))
    (tmp_path / "products.csv").write_text("product_id,image\np1,images/a.jpg\n")
    with pytest.raises(CatalogueError, match="give it as the catalogue"):
        check(open_source(tmp_path, settings=SETTINGS))


def test_pictures_inside_a_table_are_fitted_and_found(tmp_path: Path) -> None:
    inside = [{"product_id": name, "image": _data(name)} for name in ("red", "blue")]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, inside)))
    workspace = Workspace(settings=Settings(root=tmp_path / "data"))
    report = workspace.fit("shop", tmp_path / "t.jsonl", model="colour-shape")
    assert (report.products, report.failures) == (2, [])
    answer = workspace.search("shop", picture("blue"), model="colour-shape", number=1)
    assert [match.product_id for match in answer.matches] == ["blue"]


def _data(colour: str) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture(colour)).decode()
