"""Photos that are kept, pictures that are sent, feedback and imports on the disk: each by itself, without a service."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from image_similarity.errors import ImageError
from image_similarity.service.schemas import BulkProduct, JobFailure
from image_similarity.service.storage import bulk_imports as imports_module
from image_similarity.service.storage import query_photos as photos_module
from image_similarity.service.storage import thumbnails as pictures_module
from image_similarity.service.storage.bulk_imports import Imports
from image_similarity.service.storage.feedback import FeedbackStore
from image_similarity.service.storage.query_photos import LARGEST, Photos
from image_similarity.service.storage.thumbnails import Pictures
from tests.conftest import paint
from tests.service import photo_of
from tests.shop import BLUE, GREEN, RED

MOST = 10_000_000


def test_a_photo_is_kept_under_the_hash_of_what_is_kept(tmp_path: Path) -> None:
    photos = Photos(tmp_path, 10, MOST)
    kept = photos.keep(photo_of(RED, BLUE, size=3000))
    assert (kept.width, kept.height) == (LARGEST, LARGEST)
    assert photos.keep(photo_of(RED, BLUE, size=3000)) == kept and len(list(tmp_path.iterdir())) == 1
    with Image.open(BytesIO(photos.find(kept.name) or b"")) as picture:
        assert picture.format == "JPEG"
    assert photos.find("0" * 64) is None and photos.find("../keys") is None


def test_of_too_many_photos_those_go_that_nobody_asked_with_for_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos_module, "PRUNED_EVERY", 1)
    photos = Photos(tmp_path, 2, MOST)
    names = [photos.keep(photo_of(colour)).name for colour in (RED, GREEN)]
    for age, name in zip((100, 200), names, strict=True):
        os.utime(tmp_path / f"{name}.jpg", (age, age))
    assert photos.find(names[0])  # asked with: it is the younger one now
    newest = photos.keep(photo_of(BLUE)).name
    assert [photos.find(name) is not None for name in (*names, newest)] == [True, False, True]


def test_thumbnails_are_made_in_few_widths_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = paint(tmp_path / "wide.png", RED, (900, 600))
    pictures = Pictures(MOST)
    sent = [pictures.send(path, width) for width in (200, 230, 240)]
    assert sent[0] is sent[1] is sent[2]
    with Image.open(BytesIO(sent[0].data)) as picture:
        assert picture.size == (240, 160)
    paint(path, BLUE, (900, 600), spot=7)
    os.utime(path, (1, 1))
    assert pictures.send(path, 200).tag != sent[0].tag  # another file by now


def test_thumbnails_take_no_more_memory_than_so_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_module, "REMEMBERED", 1)
    pictures = Pictures(MOST)
    first, second = (paint(tmp_path / f"{n}.png", RED, (300, 300), spot=n) for n in (1, 2))
    made = pictures.send(first, 64)
    pictures.send(second, 64)
    assert pictures.send(first, 64) is not made and pictures.send(first, 64).tag == made.tag


@pytest.mark.parametrize(("kind", "sent"), [("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/jpeg")])
def test_a_whole_picture_is_sent_as_it_is_where_browsers_show_it(tmp_path: Path, kind: str, sent: str) -> None:
    path = tmp_path / "picture"
    Image.new("RGB", (20, 20), RED).save(path, kind)
    found = Pictures(MOST).send(path, None)
    assert found.media_type == sent
    as_it_is = found.file is not None and found.file.read_bytes() == path.read_bytes()
    assert as_it_is == (sent != "image/jpeg")


def test_what_is_no_picture_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "page.svg"
    path.write_text("<svg onload='alert(1)'/>")
    for width in (None, 64):
        with pytest.raises(ImageError):
            Pictures(MOST).send(path, width)
    with pytest.raises(ImageError):
        Pictures(MOST).send(tmp_path / "none", 64)


def test_a_later_verdict_takes_the_place_of_the_one_before_and_nothing_is_lost(tmp_path: Path) -> None:
    book = FeedbackStore(tmp_path)
    assert book.counts().good == 0
    book.on_product('a,"1"', "b", "good")
    book.on_product('a,"1"', "c\nd", "bad")
    book.on_product('a,"1"', "b", "bad")
    book.on_photo(b"photo", "b", "good")
    again = FeedbackStore(tmp_path).counts()
    assert (again.good, again.bad, again.photos, again.products) == (1, 2, 1, 1)


def test_an_import_remembers_how_far_it_is(tmp_path: Path) -> None:
    imports = Imports(tmp_path)
    products = [BulkProduct(product_id=name, title=title) for name, title in (("a", "1"), ("b", "1"), ("a", "2"))]
    job = imports.add(products, [JobFailure(product_id="z", image="", stage="list", reason="no address")])
    assert (job.state, job.total, job.failed, len(job.failures)) == ("queued", 3, 1, 1)
    todo = imports.todo(job.job_id, 5)
    assert {(each.product.product_id, each.product.title) for each in todo} == {("a", "2"), ("b", "1")}
    imports.mark(job.job_id, "running")
    imports.settle(job.job_id, todo[0], [], put=True)
    later = Imports(tmp_path)
    assert later.unfinished() == [job.job_id]
    assert later.todo(job.job_id, 5) == todo[1:]
    later.settle(
        job.job_id, todo[1], [JobFailure(product_id="b", image="", stage="download", reason="gone")], put=False
    )
    later.mark(job.job_id, "done")
    ended = later.find(job.job_id)
    assert ended and (ended.state, ended.done, ended.failed, len(ended.failures)) == ("done", 1, 2, 2)
    assert ended.finished and later.unfinished() == [] and later.find("../keys") is None


def test_an_import_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    imports = Imports(tmp_path)
    job = imports.add([BulkProduct(product_id="a")])
    with closing(sqlite3.connect(tmp_path / f"{job.job_id}.sqlite")) as file, file:
        file.execute("DROP TABLE notes")
        file.execute("DROP TABLE repaired")
    assert imports.find(job.job_id) == job
    imports.settle(job.job_id, imports.todo(job.job_id, 1)[0], [], put=True, repaired=2)
    ended = imports.find(job.job_id)
    assert ended and (ended.done, ended.repaired, ended.notes) == (1, 2, [])


def test_finished_imports_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_module, "KEPT", 2)
    imports = Imports(tmp_path)
    large = [BulkProduct(product_id=f"p{number}", description="x" * 9_000) for number in range(9)]
    jobs = [imports.add(large).job_id for _ in range(4)]
    before = (tmp_path / f"{jobs[0]}.sqlite").stat().st_size
    for job_id in jobs[:3]:
        for todo in imports.todo(job_id, 9):
            imports.settle(job_id, todo, [], put=True)
        imports.mark(job_id, "done")
    ended = imports.find(jobs[0])
    assert ended and (ended.total, ended.done) == (9, 9)
    assert (tmp_path / f"{jobs[0]}.sqlite").stat().st_size < before / 3
    newest = imports.add(large).job_id
    assert {job.job_id for job in imports.all()} == {*jobs[1:], newest}  # two that ended, and all that have not
    assert imports.find(jobs[0]) is None
