"""Photos that are kept, pictures that are sent, feedback and imports on the disk: each by itself, without a service."""

from __future__ import annotations

import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from image_similarity.dataset import Dataset
from image_similarity.errors import ImageError
from image_similarity.service.schemas import BulkProduct, JobFailure
from image_similarity.service.storage.bulk_imports import KEPT, BulkImports, NewImport, Outcome
from image_similarity.service.storage.feedback import FeedbackStore
from image_similarity.service.storage.query_photos import LARGEST, QueryPhotos
from image_similarity.service.storage.thumbnails import Thumbnails
from image_similarity.store.database import Database
from tests.conftest import paint
from tests.support.service import photo_of
from tests.support.shop import BLUE, GREEN, RED

MOST = 10_000_000
SHOP = Dataset.named("shop")


def test_a_photo_is_kept_under_the_hash_of_what_is_kept(tmp_path: Path) -> None:
    photos = QueryPhotos(tmp_path, 10, MOST)
    kept = photos.keep(photo_of(RED, BLUE, size=3000))
    assert (kept.width, kept.height) == (LARGEST, LARGEST)
    assert photos.keep(photo_of(RED, BLUE, size=3000)) == kept and len(list(tmp_path.iterdir())) == 1
    with Image.open(BytesIO(photos.find(kept.name) or b"")) as picture:
        assert picture.format == "JPEG"
    assert photos.find("0" * 64) is None and photos.find("../keys") is None


def test_of_too_many_photos_those_go_that_nobody_asked_with_for_longest(tmp_path: Path) -> None:
    photos = QueryPhotos(tmp_path, 2, MOST)
    names = [photos.keep(photo_of(colour)).name for colour in (RED, GREEN)]
    for age, name in zip((100, 200), names, strict=True):
        os.utime(tmp_path / f"{name}.jpg", (age, age))
    assert photos.find(names[0])  # used: it is the most recently used one now
    newest = QueryPhotos(tmp_path, 2, MOST).keep(photo_of(BLUE)).name  # the first photo after a start prunes
    assert [photos.find(name) is not None for name in (*names, newest)] == [True, False, True]


def test_thumbnails_are_made_in_few_widths_and_once(tmp_path: Path) -> None:
    path = paint(tmp_path / "wide.png", RED, (900, 600))
    thumbnails = Thumbnails(MOST)
    sent = [thumbnails.load(path, width) for width in (200, 230, 240)]
    assert sent[0] is sent[1] is sent[2]
    with Image.open(BytesIO(sent[0].data)) as picture:
        assert picture.size == (240, 160)
    paint(path, BLUE, (900, 600), spot=7)
    os.utime(path, (1, 1))
    assert thumbnails.load(path, 200).tag != sent[0].tag  # another file by now


def test_thumbnails_take_no_more_memory_than_so_much(tmp_path: Path) -> None:
    thumbnails = Thumbnails(MOST, most_bytes=1)
    first, second = (paint(tmp_path / f"{n}.png", RED, (300, 300), spot=n) for n in (1, 2))
    made = thumbnails.load(first, 64)
    thumbnails.load(second, 64)
    assert thumbnails.load(first, 64) is not made and thumbnails.load(first, 64).tag == made.tag


@pytest.mark.parametrize(("kind", "sent"), [("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/jpeg")])
def test_a_whole_picture_is_sent_as_it_is_where_browsers_show_it(tmp_path: Path, kind: str, sent: str) -> None:
    path = tmp_path / "picture"
    Image.new("RGB", (20, 20), RED).save(path, kind)
    found = Thumbnails(MOST).load(path, None)
    assert found.media_type == sent
    as_it_is = found.file is not None and found.file.read_bytes() == path.read_bytes()
    assert as_it_is == (sent != "image/jpeg")


def test_what_is_no_picture_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "page.svg"
    path.write_text("<svg onload='alert(1)'/>")
    for width in (None, 64):
        with pytest.raises(ImageError):
            Thumbnails(MOST).load(path, width)
    with pytest.raises(ImageError):
        Thumbnails(MOST).load(tmp_path / "none", 64)


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
    path = tmp_path / "features.db"
    products = [BulkProduct(product_id=name, title=title) for name, title in (("a", "1"), ("b", "1"), ("a", "2"))]
    nameless = [JobFailure(product_id=name, image="", stage="list", reason="no address") for name in ("z", "", "", "a")]
    with Database(path, SHOP, create=True) as database:
        imports = BulkImports(database)
        job = imports.add(NewImport.of(products, nameless, ["guessed"]))
        assert (job.state, job.total, job.failed, len(job.failures), job.notes) == ("queued", 5, 3, 4, ["guessed"])
        todo = imports.todo(job.job_id, 5)
        assert {(each.product.product_id, each.product.title) for each in todo} == {("a", "2"), ("b", "1")}
        imports.set_state(job.job_id, "running")
        for _ in range(2):  # the second time says nothing new
            imports.record(job.job_id, todo[0], Outcome(put=True, repaired=2))
    gone = JobFailure(product_id="b", image="", stage="download", reason="gone")
    with Database(path, SHOP) as database, Database(path, Dataset.named("toys"), create=True) as toys:
        imports = BulkImports(database)
        assert imports.unfinished() == [job.job_id]
        assert imports.todo(job.job_id, 5) == todo[1:]
        imports.record(job.job_id, todo[1], Outcome(put=False, failures=[gone] * 200))
        imports.set_state(job.job_id, "done")
        ended = imports.find(job.job_id)
        assert ended and (ended.state, ended.done, ended.failed, len(ended.failures)) == ("done", 1, 4, 100)
        assert ended.repaired == 2 and ended.failures[4] == gone
        assert ended.finished and imports.unfinished() == [] and imports.find("../keys") is None
        assert (imports.all(), BulkImports(toys).all(), BulkImports(toys).find(job.job_id)) == ([ended], [], None)


def test_finished_imports_do_not_fill_the_disk(tmp_path: Path) -> None:
    large = NewImport.of([BulkProduct(product_id=f"p{number}", description="x" * 9_000) for number in range(9)])
    with Database(tmp_path / "features.db", SHOP, create=True) as database:
        imports = BulkImports(database)
        waiting = imports.add(replace(large, job_id="waits")).job_id

        def pages() -> int:
            return int(database.connection.execute("PRAGMA page_count").fetchone()[0])

        jobs = list[str]()
        for number in range(KEPT + 5):
            jobs.append(imports.add(replace(large, job_id=str(number))).job_id)
            for todo in imports.todo(jobs[-1], 9):
                imports.record(jobs[-1], todo, Outcome(put=True))
            imports.set_state(jobs[-1], "done")
            if number == 5:
                before = pages()
        assert pages() < before + 20
        imports.add(replace(large, job_id="newest"))
        kept = [job.job_id for job in imports.all()]
        assert kept == ["newest", *reversed(jobs[5:]), waiting]  # a hundred that ended, and all that have not
