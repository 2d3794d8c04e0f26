"""What shops already have: exports of Google Merchant, Shopify, WooCommerce and Facebook, as files and addresses."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.catalogue import open_source
from image_similarity.catalogue.sources import failures_of
from image_similarity.errors import CatalogueError
from image_similarity.settings import Settings, TableLimits
from image_similarity.types import CatalogueSource
from tests.support.servers import Answer, ImageServer, image_server, picture

WEB = "https://cdn.example"
MERCHANT = f"""<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>A shop</title><link>https://x.example</link>
<item><g:id>MUG-S</g:id><title>Mug, small</title>
<description>&lt;p&gt;Holds &lt;b&gt;tea&lt;/b&gt;&lt;/p&gt;</description>
<g:image_link>{WEB}/1.jpg</g:image_link><g:additional_image_link>{WEB}/2.jpg</g:additional_image_link>
<g:additional_image_link>{WEB}/3.jpg</g:additional_image_link><g:availability>in_stock</g:availability>
<g:price>1.019,90 EUR</g:price><g:sale_price>15.00 EUR</g:sale_price><g:item_group_id>MUG</g:item_group_id>
<g:shipping><g:country>DE</g:country><g:price>4 EUR</g:price></g:shipping></item>
<item><g:id>MUG-L</g:id><title>Mug, large</title><g:image_link>{WEB}/4.jpg</g:image_link>
<g:additional_image_link>{WEB}/5.jpg,{WEB}/6.jpg</g:additional_image_link>
<g:shipping><g:price>4 EUR</g:price></g:shipping></item></channel></rss>"""
ATOM = f"""<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>A shop</title>
<link rel="self" href="https://x.example/feed"/>
<entry><g:id>A1</g:id><title>Mug</title><author><name>Potter</name></author><summary>Holds tea</summary>
<link href="https://x.example/mug"/><g:image_link>{WEB}/1.jpg</g:image_link></entry></feed>"""
SHOPIFY = {
    "products": [
        {
            "id": 7,
            "title": "Tea mug",
            "handle": "tea-mug",
            "body_html": "<p>Holds<br>tea &amp; more</p>",
            "tags": ["tea"],
            "variants": [
                {"id": 71, "price": "19.90", "compare_at_price": None, "sku": "S", "available": False},
                {"id": 72, "price": "9.90", "compare_at_price": "12.00", "sku": "L", "available": True},
            ],
            "images": [{"src": f"{WEB}/1.jpg", "position": 1}, {"src": f"{WEB}/2.jpg", "position": 2}],
            "options": [{"name": "Size", "values": ["S", "L"]}],
        },
        {
            "id": 8,
            "title": "Plate",
            "handle": "plate",
            "variants": [{"price": "5", "inventory_quantity": 0}],
            "images": [{"src": f"{WEB}/3.jpg"}],
            "options": [{"name": "Title", "values": ["Default Title"]}],
        },
    ]
}
SHOPIFY_CSV = f"""Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,Pos
tea-mug,Tea mug,<p>Holds tea</p>,Potter,Size,S,MUG-S,19.90,{WEB}/1.jpg,1
tea-mug,,,,,L,MUG-L,9.90,{WEB}/2.jpg,2
tea-mug,,,,,XL,MUG-XL,9.90,,
plate,Plate,,Potter,,,PLATE,5.00,{WEB}/3.jpg,1
"""
WOO = f"""ID,Type,SKU,Name,Published,Description,In stock?,Regular price,Images,Parent,Attribute 1,Attribute 1 value(s)
10,variable,MUG,Mug,1,Holds tea,1,,"{WEB}/1.jpg, {WEB}/2.jpg",,Size,"S, L"
11,variation,MUG-S,Mug - S,1,,1,9.5,{WEB}/3.jpg,MUG,Size,S
12,simple,,Plate,1,,0,5,"{WEB}/4,1.jpg, {WEB}/5.jpg",,,
"""
FACEBOOK = f"""# Required | the fields of the catalogue
id,title,description,availability,condition,price,link,image_link,brand,additional_image_link,item_group_id
F1,Mug,Holds tea,in stock,new,9.99 USD,https://x.example/f1,{WEB}/1.jpg,Potter,"{WEB}/2.jpg,{WEB}/3.jpg",MUG
"""


def opened(data: bytes | str, folder: Path, name: str = "export") -> CatalogueSource:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return open_source(folder / name, settings=Settings())


def images_of(source: CatalogueSource) -> dict[str, list[str]]:
    """The names of each product's images."""
    found: dict[str, list[str]] = {}
    for image in source:
        found.setdefault(image.product_id, []).append(image.location.removeprefix(f"{WEB}/"))
    assert failures_of(source) == []
    return found


def attributes_of(source: CatalogueSource) -> dict[str, Mapping[str, str]]:
    return {product.product_id: product.attributes for product in source.products()}


@pytest.mark.parametrize("packed", ["", "gz", "zip"])
def test_a_merchant_feed_in_xml(tmp_path: Path, packed: str) -> None:
    data = MERCHANT.encode()
    source = opened({"gz": gzip.compress(data), "zip": zipped(feed=data)}.get(packed, data), tmp_path)
    assert images_of(source) == {"MUG-S": ["1.jpg", "2.jpg", "3.jpg"], "MUG-L": ["4.jpg", "5.jpg", "6.jpg"]}
    small, large = source.products()
    assert (small.title, small.description) == ("Mug, small", "Holds tea")
    assert small.attributes == {
        "availability": "in_stock",
        "price": "1.019,90 EUR",
        "sale_price": "15.00 EUR",
        "item_group_id": "MUG",
        "shipping_country": "DE",
        "shipping_price": "4 EUR",
    }
    assert large.attributes == {"shipping_price": "4 EUR"}, "what shipping costs is not the price"


def test_a_merchant_feed_in_atom(tmp_path: Path) -> None:
    source = opened(ATOM, tmp_path)
    assert images_of(source) == {"A1": ["1.jpg"]}
    (product,) = source.products()
    assert (product.title, product.description) == ("Mug", "Holds tea")
    assert product.attributes == {"author_name": "Potter", "link": "https://x.example/mug"}


def test_a_merchant_feed_in_tabs(tmp_path: Path) -> None:
    header = ["id", "title", "image link", "additional image link", "price", "item group id"]
    row = ["A1", "Mug", f"{WEB}/1.jpg", f"{WEB}/2.jpg,{WEB}/3.jpg", "5.00 USD", "MUG"]
    source = opened("\t".join(header) + "\n" + "\t".join(row) + "\n", tmp_path)
    assert images_of(source) == {"A1": ["1.jpg", "2.jpg", "3.jpg"]}
    assert attributes_of(source) == {"A1": {"price": "5.00 USD", "item group id": "MUG"}}


def test_fields_in_lists_and_images_in_attributes_of_other_feeds(tmp_path: Path) -> None:
    feed = (
        '<rss xmlns:media="http://search.yahoo.com/mrss/"><channel>'
        f"<item><id>1</id><images><image>{WEB}/1.jpg</image><image>{WEB}/2.jpg</image></images>"
        "<categories><category>Tea</category></categories></item>"
        f'<item><id>2</id><enclosure url="{WEB}/3.jpg" type="image/jpeg"/>'
        f'<media:content url="{WEB}/4.jpg" medium="image"/></item></channel></rss>'
    )
    source = opened(feed, tmp_path)
    assert images_of(source) == {"1": ["1.jpg", "2.jpg"], "2": ["3.jpg", "4.jpg"]}
    assert next(image.attributes for image in source) == {"category": "Tea"}


@pytest.mark.parametrize("form", ["document", "lines"])
def test_shopifys_products_json(tmp_path: Path, form: str) -> None:
    lines = "\n".join(json.dumps(product) for product in SHOPIFY["products"])
    source = opened(json.dumps(SHOPIFY) if form == "document" else lines, tmp_path)
    assert images_of(source) == {"tea-mug": ["1.jpg", "2.jpg"], "plate": ["3.jpg"]}
    mug, plate = source.products()
    assert (mug.title, mug.description) == ("Tea mug", "Holds tea & more")
    assert mug.attributes == {
        "id": "7",
        "tags": '["tea"]',
        "price": "9.90",
        "compare_at_price": "12.00",
        "available": "true",
        "Size": "S, L",
    }
    assert plate.attributes == {"id": "8", "price": "5", "available": "false"}


def test_shopifys_csv_has_the_same_products(tmp_path: Path) -> None:
    source = opened(SHOPIFY_CSV, tmp_path)
    assert images_of(source) == {"tea-mug": ["1.jpg", "2.jpg"], "plate": ["3.jpg"]}
    mug, _ = source.products()
    assert (mug.title, mug.description, mug.attributes["Variant Price"]) == ("Tea mug", "Holds tea", "19.90")


def test_woocommerces_csv(tmp_path: Path) -> None:
    source = opened(WOO, tmp_path)
    assert images_of(source) == {"MUG": ["1.jpg", "2.jpg"], "MUG-S": ["3.jpg"], "12": ["4,1.jpg", "5.jpg"]}
    assert attributes_of(source)["MUG-S"]["Parent"] == "MUG"


def test_facebooks_csv(tmp_path: Path) -> None:
    source = opened(FACEBOOK, tmp_path)
    assert images_of(source) == {"F1": ["1.jpg", "2.jpg", "3.jpg"]}
    assert attributes_of(source)["F1"]["item_group_id"] == "MUG"


# Archives ------------------------------------------------------------------------------------------------------------


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_what_a_mac_adds_to_an_archive_is_not_the_table(tmp_path: Path) -> None:
    data = zipped(**{"shop/feed.csv": FACEBOOK.encode(), "__MACOSX/shop/._feed.csv": b"x", "shop/.DS_Store": b"x"})
    assert list(images_of(opened(data, tmp_path))) == ["F1"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (zipped(a=b"id", b=b"id"), "must hold one file, the table. It holds 2: a, b"),
        (zipped(), "It holds 0: none"),
        (zipped(**{"[Content_Types].xml": b"<x/>"}), "is a workbook"),
        (zipped(feed=FACEBOOK.encode())[:-30], "is damaged"),
        (zipped(feed=b""), "is empty"),
    ],
)
def test_an_archive_that_holds_no_table_says_what_it_is(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        list(opened(data, tmp_path))


def test_an_archive_that_unpacks_to_more_than_a_table_may_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.zip").write_bytes(zipped(feed=b"id,image\n" + b"1,a.jpg\n" * 100_000))
    source = open_source(tmp_path / "bomb.zip", settings=Settings(tables=TableLimits(unpacked_bytes=10_000)))
    with pytest.raises(CatalogueError, match="limit of 10000 bytes"):
        list(source)


# Addresses -----------------------------------------------------------------------------------------------------------


def test_a_feed_on_the_web_is_fitted_by_its_address_and_fetched_once(tmp_path: Path) -> None:
    with image_server() as server:
        server.give("/images/1.jpg", Answer(body=picture("red")))
        server.give("/2.jpg", Answer(body=picture("green")))
        feed = f"id,title,image_link\n1,Red,images/1.jpg\n2,Green,{server.address}/2.jpg\n"
        server.give("/feed.csv?token=secret", Answer(body=gzip.compress(feed.encode())))
        location = server.address.replace("//", "//shop:pass@") + "/feed.csv?token=secret"
        workspace = Workspace(tmp_path / "data")
        workspace.extract(location, "shop")
        assert len(server.asked("/feed.csv?token=secret")) == 1, "a feed that changes in between is not mixed"
        assert server.asked("/feed.csv?token=secret")[0]["Authorization"].startswith("Basic ")
        report = workspace.fit("shop", model="colour")
    assert report.products == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=403), "the server answers 403"),
        (Answer(body=b"<!DOCTYPE html><html>Log in</html>"), "is a web page"),
        (Answer(body=b"id,image_link\n" + b"1,a.jpg\n" * 5000), "larger than the limit of 9999 bytes"),
    ],
)
def test_a_feed_that_cannot_be_fetched_says_why_and_keeps_the_key_to_itself(answer: Answer, says: str) -> None:
    with image_server() as server:
        server.give("/feed?token=secret", answer)
        location = server.address.replace("//", "//shop:pass@") + "/feed?token=secret"
        source = open_source(location, settings=Settings(tables=TableLimits(unpacked_bytes=9999)))
        with pytest.raises(CatalogueError, match=says) as told:
            list(source)
    assert f"{server.address}/feed" in str(told.value)
    assert "secret" not in str(told.value) and "pass" not in str(told.value)


def test_an_address_that_nobody_answers_says_so() -> None:
    with image_server() as server:
        address = closed(server)
    with pytest.raises(CatalogueError, match=f"cannot fetch {address}/feed"):
        list(open_source(f"{address}/feed", settings=Settings()))


def closed(server: ImageServer) -> str:
    server.close()
    return server.address
