from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from image_similarity.errors import OutputError, UsageError
from image_similarity_demo import FAMILIES, draw_sample
from image_similarity_demo.catalogue import MARKER, read_table
from image_similarity_demo.patterns import PATTERNS
from image_similarity_demo.stock import stock

FEW = [family for family in FAMILIES if family.name == "mats"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_shop_is_large_enough_to_try_things_with(drawn_shop: Path) -> None:
    assert len(rows(drawn_shop / "products.csv")) >= 64
    assert len(FAMILIES) >= 8
    assert len(rows(drawn_shop / "photos.csv")) >= 24
    assert sum(path.stat().st_size for path in drawn_shop.rglob("*") if path.is_file()) < 8_000_000


def test_the_summary_counts_what_is_on_the_disk(tmp_path: Path) -> None:
    drawn = draw_sample(tmp_path / "shop", families=FEW)
    for name, count in (("images", drawn.images), ("photos", drawn.photos)):
        assert count == len(rows(drawn.folder / f"{name}.csv")) == len(list((drawn.folder / name).iterdir()))
    assert drawn.products == len(rows(drawn.folder / "products.csv"))


def test_every_picture_decodes(drawn_shop: Path) -> None:
    for path in drawn_shop.rglob("*.jpg"):
        with Image.open(path) as image:
            image.load()
            assert image.mode == "RGB"
            assert max(image.size) >= 480 and min(image.size) >= 240


def test_no_two_pictures_are_the_same(drawn_shop: Path) -> None:
    images = digests(drawn_shop / "images") | digests(drawn_shop / "photos")
    assert len(set(images.values())) == len(images)


def test_every_product_has_two_to_four_pictures_named_after_it(drawn_shop: Path) -> None:
    images = rows(drawn_shop / "images.csv")
    products = {row["product_id"] for row in rows(drawn_shop / "products.csv")}
    assert all((drawn_shop / "images" / row["image"]).is_file() for row in images)
    assert all(row["image"].split("_")[0] == row["product_id"] for row in images)
    counts = Counter(row["product_id"] for row in images)
    assert counts.keys() == products
    assert set(counts.values()) <= {2, 3, 4}


def test_every_product_is_described(drawn_shop: Path) -> None:
    products = rows(drawn_shop / "products.csv")
    assert list(products[0]) == ["product_id", "title", "description", "department", "colour", "price"]
    assert all(all(row.values()) for row in products)
    assert all(float(row["price"]) > 0 for row in products)
    assert len({row["title"] for row in products}) == len(products)


def test_every_family_sells_one_shape_in_two_colours(drawn_shop: Path) -> None:
    for family in FAMILIES:
        looks = [article.look for article in stock(2019, [family])]
        shapes = Counter((look.shape, look.pattern, look.brand, look.seed) for look in looks)
        assert max(shapes.values()) >= 2, family.name
        assert len(shapes) >= 4, family.name


def test_every_photo_has_its_answer_and_does_not_tell_it(drawn_shop: Path) -> None:
    products = {row["product_id"] for row in rows(drawn_shop / "products.csv")}
    answers = rows(drawn_shop / "photos.csv")
    for row in answers:
        assert row["product_id"] in products
        assert (drawn_shop / "photos" / row["photo"]).is_file()
        assert row["product_id"].rstrip("0123456789") not in row["photo"]
    families = {row["product_id"].rstrip("0123456789") for row in answers}
    assert families == {family.prefix for family in FAMILIES}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    draw_sample(tmp_path / "one", families=FEW)
    draw_sample(tmp_path / "two", families=FEW)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_family_looks_the_same_whatever_else_is_drawn(drawn_shop: Path, tmp_path: Path) -> None:
    draw_sample(tmp_path / "alone", families=FEW)
    assert digests(tmp_path / "alone" / "images").items() <= digests(drawn_shop / "images").items()


def test_another_seed_gives_another_shop() -> None:
    ours, theirs = ([(a.title, a.look) for a in stock(seed)] for seed in (2019, 2020))
    assert ours != theirs


def test_a_folder_with_other_things_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "diary.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(UsageError, match="not a sample"):
        draw_sample(folder, families=FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (folder / "diary.txt").read_text(encoding="utf-8") == "dear diary"


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sample").write_text("a file", encoding="utf-8")
    with pytest.raises(UsageError, match="is a file"):
        draw_sample(tmp_path / "sample", families=FEW)


def test_a_sample_with_added_files_is_rejected(tmp_path: Path) -> None:
    draw_sample(tmp_path / "sample", families=())
    (tmp_path / "sample" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        draw_sample(tmp_path / "sample", families=())


def test_an_earlier_sample_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    draw_sample(folder, families=())
    (folder / "images" / "old_1.jpg").write_bytes(b"old")
    draw_sample(folder, families=(), seed=7)
    assert not (folder / "images" / "old_1.jpg").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_a_whole_sample_of_this_seed_is_not_drawn_again(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    drawn = draw_sample(folder, families=FEW[:1])
    product = read_table(folder / "products.csv")[0]["product_id"]
    (folder / "images" / f"{product}_1.jpg").write_bytes(b"touched")
    assert draw_sample(folder, families=FEW[:1]) == drawn
    assert (folder / "images" / f"{product}_1.jpg").read_bytes() == b"touched"


def lose_a_photo(folder: Path) -> None:
    min((folder / "photos").iterdir()).unlink()


def lose_the_table_of_photos(folder: Path) -> None:
    (folder / "photos.csv").unlink()


def have_a_table_without_a_header(folder: Path) -> None:
    (folder / "images.csv").write_text("one\ntwo\n", encoding="utf-8")


def be_of_another_version(folder: Path) -> None:
    (folder / MARKER).write_text("Drawn by image-similarity 0.0.9. Seed: 2019\n", encoding="utf-8")


@pytest.mark.parametrize(
    "damage", [lose_a_photo, lose_the_table_of_photos, have_a_table_without_a_header, be_of_another_version]
)
def test_a_damaged_sample_or_one_of_another_version_is_drawn_again(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    draw_sample(tmp_path, families=FEW[:1])
    before = digests(tmp_path)
    damage(tmp_path)
    assert digests(tmp_path) != before
    draw_sample(tmp_path, families=FEW[:1])
    assert digests(tmp_path) == before


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    draw_sample(tmp_path / "empty", families=())
    assert (tmp_path / "empty" / "products.csv").is_file()


def test_a_stop_half_way_leaves_the_earlier_sample(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    draw_sample(folder, families=(), seed=7)
    before = digests(folder)

    def stop(stage: str, done: int, total: int | None = None) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_sample(folder, families=FEW, progress=stop)
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(OutputError, match=r"cannot write .*sample: Not a directory"):
        draw_sample(tmp_path / "file" / "sample", families=())


def test_progress_runs_to_its_end(tmp_path: Path) -> None:
    reported: list[tuple[str, int, int | None]] = []
    summary = draw_sample(
        tmp_path / "sample",
        families=FEW[1:],
        progress=lambda stage, done, total=None: reported.append((stage, done, total)),
    )
    assert [done for _, done, _ in reported] == list(range(summary.products + 1))
    assert {total for _, _, total in reported} == {summary.products}


def test_every_pattern_is_printed_somewhere() -> None:
    used = {design.pattern for family in FAMILIES for design in family.designs}
    assert set(PATTERNS) <= used
