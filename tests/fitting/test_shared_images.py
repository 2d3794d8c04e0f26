"""Image ids that several products have: one photo of two products, photo numbers of each product."""

from __future__ import annotations

from pathlib import Path

from image_similarity import Workspace
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.support.servers import Answer, image_server, picture
from tests.support.shop import BLUE, GREEN, RED

MODEL = "colour-shape"


def test_extract_and_fit_keep_photo_numbers_and_shared_photos_of_every_product(tmp_path: Path) -> None:
    for name, colour in (("a", RED), ("b", BLUE), ("c", GREEN)):
        paint(tmp_path / f"{name}.png", colour)
    table = tmp_path / "images.csv"
    table.write_text("product_id,photo_id,image\np1,1,a.png\np1,2,b.png\np2,1,c.png\np2,2,a.png\np3,1,a.png\n")
    workspace = Workspace(settings=Settings(root=tmp_path / "data"))
    extracted = workspace.extract(table, "shop")
    assert (extracted.counts.known, extracted.failures) == (5, [])
    for catalogue in (table, extracted.folder):
        report = workspace.fit("shop", catalogue, model=MODEL, allow_removal=True)
        assert (report.counts.seen, report.counts.failed, report.products) == (5, 0, 3)


def test_an_address_with_one_id_for_two_products_is_fetched_for_both(tmp_path: Path) -> None:
    with image_server() as server:
        address = server.give("/shared.jpg", Answer(picture()))
        table = tmp_path / "images.csv"
        table.write_text(f"product_id,image_id,image_url\np1,shared.jpg,{address}\np2,shared.jpg,{address}\n")
        workspace = Workspace(settings=Settings(root=tmp_path / "data"))
        extracted = workspace.extract(table, "shop")
    assert (extracted.counts.seen, extracted.failures) == (2, [])
    report = workspace.fit("shop", table, model=MODEL)
    assert (report.counts.seen, report.counts.failed, report.products) == (2, 0, 2)
