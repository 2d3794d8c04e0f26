"""Addresses of every kind, asked by both fetchers: a picture or one failure, never anything else."""

from __future__ import annotations

import asyncio
import base64
import csv
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.catalogue.names import name_for_address
from image_similarity.cli.app import app
from image_similarity.images.download import Download, Outcome, download_all
from image_similarity.images.fetch_log import FetchLog
from image_similarity.images.pacing import retry_delay
from image_similarity.images.spooled_file import SpooledImage
from image_similarity.options import DownloadOptions
from image_similarity.service.guards.addresses import Trusted
from image_similarity.service.guards.fetching import FetchError, FetchLimits, fetch_image, fetch_into
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure
from tests.support.servers import Answer, ImageServer, image_server, picture
from tests.support.service import Service, fitted, running, until

QUICK = DownloadOptions(base_delay=0.001, timeout=5.0, tries=2)
HERE = FetchLimits(trusted=Trusted.parse(["127.0.0.1/32"]))
RED = picture("red")


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


def download(folder: Path, *addresses: str, options: DownloadOptions = QUICK) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    downloads = [
        Download(number, CatalogueImage(f"{number}.jpg", "7", address), folder / f"{number}.jpg")
        for number, address in enumerate(addresses)
    ]
    with FetchLog(folder) as fetched:
        download_all(downloads, lambda each, out: outcomes.update({each.position: out}), Settings(), options, fetched)
    return [outcomes[number] for number in range(len(addresses))]


def served(address: str, limits: FetchLimits = HERE) -> bytes | str:
    """What the service fetches, or why not."""
    try:
        return asyncio.run(fetch_image(address, limits))
    except FetchError as error:
        return f"{error} {error.internal}"


def both(folder: Path, address: str) -> bytes | tuple[str, str]:
    """The picture that both fetchers get, or the two reasons why not."""
    (outcome,) = download(folder, address)
    by_service = served(address)
    if isinstance(outcome, Failure):
        assert isinstance(by_service, str)
        return outcome.reason, by_service
    assert isinstance(by_service, bytes)
    assert (folder / "0.jpg").read_bytes() == by_service
    (folder / "0.jpg").unlink()
    return by_service


def deflated(data: bytes) -> bytes:
    pack = zlib.compressobj(wbits=-15)
    return pack.compress(data) + pack.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        *[(name, RED) for name in ("aws-chunked", "utf-8", "UTF-8", "none", "identity", "binary", "", "x, y", "jpeg")],
        *[(name, RED) for name in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "aws-chunked, gzip")],  # lies
        ("gzip", gzip.compress(RED)),
        ("X-GZIP", gzip.compress(RED)),
        ("aws-chunked, gzip", gzip.compress(RED)),
        ("gzip, gzip", gzip.compress(gzip.compress(RED))),
        ("none", gzip.compress(RED)),
        ("deflate", zlib.compress(RED)),
        ("deflate", deflated(RED)),
        ("deflate, gzip", gzip.compress(deflated(RED))),
    ],
)
def test_what_a_server_says_of_its_packing_is_held_against_the_bytes(
    tmp_path: Path, server: ImageServer, encoding: str, body: bytes
) -> None:
    address = server.give("/a.jpg", Answer(body, headers={"Content-Encoding": encoding}))
    assert both(tmp_path, address) == RED
    assert {headers["Accept-Encoding"] for headers in server.asked("/a.jpg")} == {"identity"}


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        ("br", b"\x0b\x05\x80some words in brotli", "compressed as 'br'"),
        ("gzip", gzip.compress(RED)[:-20], "ends early"),
        ("gzip", b"<html>no such page</html>", "damaged"),
        ("deflate", b"\xff no such thing at all", "damaged"),
        ("gzip", gzip.compress(b"", mtime=0), "empty"),
        ("gzip", gzip.compress(gzip.compress(gzip.compress(gzip.compress(RED)))), "more than 3 times"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_one_failure(
    tmp_path: Path, server: ImageServer, encoding: str, body: bytes, says: str
) -> None:
    by_extract, by_service = both(tmp_path, server.give("/a.jpg", Answer(body, headers={"Content-Encoding": encoding})))
    assert says in str(by_extract)
    assert says in str(by_service)


@pytest.mark.parametrize("packings", [1, 2])
def test_what_unpacks_to_gigabytes_is_given_up_in_little_memory(
    tmp_path: Path, server: ImageServer, packings: int
) -> None:
    body = bytes(100_000_000)
    for _ in range(packings):
        body = gzip.compress(body)
    address = server.give("/a.jpg", Answer(body, headers={"Content-Encoding": "gzip"}))
    both(tmp_path, server.give("/first", Answer(RED)))  # what is loaded once is not the bomb's
    tracemalloc.start()
    try:
        (by_extract,) = download(tmp_path, address)
        with pytest.raises(FetchError, match="larger than 50000000 bytes"):
            asyncio.run(fetch_into(SpooledImage(tmp_path), address, HERE))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert isinstance(by_extract, Failure)
    assert "larger than 50000000 bytes" in by_extract.reason


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/plain/red%20ball.jpg", "/plain/red ball.jpg"),
        ("/plain/gr%C3%B6%C3%9Fe.jpg", "/plain/gr\u00f6\u00dfe.jpg"),
        ("/a?w=3&h=3", "/a?w=3&amp;h=3"),
        ("/a?w=3&h=3", "/a?w=3&#038;h=3"),
        ("/a?w=3&h=3", "  /a?w=3&amp;amp;h=3#part "),
        ("/a", "?"),
    ],
)
def test_where_a_redirect_leads_is_read_as_it_was_meant(
    tmp_path: Path, server: ImageServer, path: str, location: str
) -> None:
    server.give(path, Answer(RED))
    # As bytes of UTF-8, as servers send it.
    moved = Answer(status=301, headers={"Location": location.encode().decode("latin-1")})
    first = server.give("/a", moved, Answer(RED), moved, Answer(RED)) if location == "?" else server.give("/b", moved)
    assert both(tmp_path, first) == RED


@pytest.mark.parametrize(
    "location",
    [
        *(None, "", "http://127.0.0.1:70000/a.jpg", "http://127.0.0.1:0/", "ftp://shop.example/a", "http://[::1"),
        *("http://a..b/", f"http://{'a' * 64}.example/", "//[/", "http://%00/"),
    ],
)
def test_a_redirect_to_nowhere_is_one_failure(tmp_path: Path, server: ImageServer, location: str | None) -> None:
    address = server.give("/a", Answer(status=302, headers={"Location": location}))
    by_extract, by_service = both(tmp_path, address)
    assert "without a Location header" in str(by_extract) if not location else "redirected to" in str(by_extract)
    assert by_service
    assert len(server.requests) == 2


def test_addresses_as_pages_and_shops_write_them(tmp_path: Path, server: ImageServer) -> None:
    server.give("/a?w=3&h=3", Answer(RED))
    assert both(tmp_path, server.address.removeprefix("http:") + "/a?w=3&amp;h=3") == RED
    assert both(tmp_path, f" {server.address}/a?w=3&#38;h=3#top\n") == RED
    server.give("/s?m=%2Fm.png&s=a+b~c'd(e)", Answer(RED))
    assert both(tmp_path, server.address + "/s?m=%2Fm.png&s=a+b~c'd(e)") == RED


@pytest.mark.parametrize(
    ("answer", "is_taken"),
    [
        (Answer(RED, status=203), True),
        (Answer(RED, status=206, headers={"Content-Range": f"bytes 0-{len(RED) - 1}/{len(RED)}"}), True),
        (Answer(RED, status=206, headers={"Content-Range": f"bytes 0-{len(RED) - 1}/{len(RED) + 1}"}), False),
        (Answer(RED, status=206), False),
        (Answer(RED, status=404), False),
        (Answer(RED, status=300), False),
        (Answer(status=204, headers={"Content-Length": None}), False),
    ],
)
def test_which_answers_are_whole_pictures(tmp_path: Path, server: ImageServer, answer: Answer, is_taken: bool) -> None:
    found = both(tmp_path, server.give("/a", answer))
    assert found == RED if is_taken else str(answer.status) in str(found[0])


@pytest.mark.parametrize("status", [425, 520, 521, 522, 524, 527, 530])
def test_a_proxy_that_cannot_reach_its_shop_is_asked_again(tmp_path: Path, server: ImageServer, status: int) -> None:
    assert download(tmp_path, server.give("/a", Answer(status=status), Answer(RED))) == ["done"]


def test_a_picture_is_asked_for_in_the_kinds_that_are_read(tmp_path: Path, server: ImageServer) -> None:
    both(tmp_path, server.give("/a", Answer(RED)))
    for headers in server.asked("/a"):
        assert "image/*" not in headers["Accept"]
        assert "image/avif" in headers["Accept"]


@pytest.mark.parametrize("wait", ["Fri, 31 Dec 69999999999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_a_wait_of_no_calendar_is_overlooked(tmp_path: Path, server: ImageServer, wait: str) -> None:
    busy = Answer(status=503, headers={"Retry-After": wait})
    options = DownloadOptions(base_delay=0.001, longest_delay=0.01, tries=2)
    assert download(tmp_path, server.give("/a", busy, Answer(RED)), options=options) == ["done"]


NUMBERS = st.integers().map(str)
WAITS = st.one_of(
    st.text(),
    NUMBERS,
    st.floats().map(str),
    st.builds("{}, {} {} {} {}:{}:{} {}".format, *[NUMBERS | st.sampled_from(["Fri", "Dec", "1", "GMT", "+9999"])] * 8),
    st.builds("Fri, {} Dec {} {}:{}:00 {}".format, *[st.integers(-1, 100)] * 4, NUMBERS),
)


@given(st.integers(1, 60), WAITS)
def test_whatever_retry_after_says_the_wait_is_a_time(attempt: int, retry_after: str) -> None:
    assert 0.25 <= retry_delay(attempt, retry_after, DownloadOptions()) <= 60.0


PARTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["http://", "https://", "//", "data:", "127.0.0.1", ":70000", ":0", ":-1", ":1", "[", "]", "@"]
        ),
        st.sampled_from(
            ["[::1]", "[fe80::1%25lo]", "%00", "\0", "\r\n", "\ud800", "xn--", "a" * 70, ".", "..", "/", "\\"]
        ),
        st.sampled_from(
            ["?", "#", "&amp;", "%", "\u2603", "\u0130", "\u00df", ";base64,", "localhost", "0x7f.1", "1e3"]
        ),
        st.text(max_size=8),
    ),
    max_size=7,
).map("".join)
NOBODY = DownloadOptions(base_delay=0.001, timeout=0.2, tries=1)


async def nowhere(name: str, port: int) -> list[str]:
    """A resolver that asks nobody."""
    name.encode("idna")
    return ["127.0.0.1"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS)
def test_any_text_as_an_address_is_a_picture_or_a_failure(tmp_path: Path, text: str) -> None:
    name_for_address(text, "7")
    with pytest.raises(FetchError):
        asyncio.run(fetch_image(text, FetchLimits(seconds=0.2), resolve=nowhere))
    host = text.partition("//")[2]
    if "://" not in text or host.startswith(("127.0.0.1", "localhost", "[")):  # nobody else's name is looked up
        assert isinstance(download(tmp_path, text, options=NOBODY)[0], Failure)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS)
def test_any_text_as_a_redirect_is_a_picture_or_a_failure(tmp_path: Path, server: ImageServer, text: str) -> None:
    location = text.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")
    host = location.partition("//")[2]
    if "//" in location and not host.startswith(("127.0.0.1", "localhost", "[")):
        location = location.replace("//", "/")
    address = server.give("/a", Answer(status=302, headers={"Location": location}))
    (outcome,) = download(tmp_path, address, options=NOBODY)
    assert isinstance(outcome, Failure)
    assert isinstance(served(address, FetchLimits(seconds=0.5, trusted=HERE.trusted)), str)


def table(folder: Path, *rows: tuple[str, str]) -> Path:
    path = folder / "shop.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["product_id", "image_url"])
        writer.writerows(rows)
    return path


SIGNED = {
    "s3": "X-Amz-Algorithm=AWS4&X-Amz-Credential=k{0}&X-Amz-Date=2024{0}&X-Amz-Expires=60&X-Amz-Signature={0}",
    "s3-short": "X-Amz-Signature={0}",
    "s3-2": "AWSAccessKeyId=k&Expires={0}&Signature={0}%3D",
    "cloudfront": "Expires={0}&Signature=a{0}&Key-Pair-Id=K",
    "cloudfront-policy": "Policy=e{0}&Signature=a{0}&Key-Pair-Id=K{0}",
    "azure": "sv=2022-11-02&se=2024-0{0}-01T00%3A00%3A00Z&sr=b&sp=r&sig=x{0}%3D",
    "azure-policy": "si=read&sig=x{0}",
    "gcs": "X-Goog-Algorithm=GOOG4&X-Goog-Credential=c{0}&X-Goog-Date={0}&X-Goog-Expires=9&X-Goog-Signature={0}",
    "gcs-2": "GoogleAccessId=g&Expires={0}&Signature={0}",
    "aliyun": "OSSAccessKeyId=k&Expires={0}&Signature={0}",
    "aliyun-4": "x-oss-signature-version=OSS4&x-oss-date={0}&x-oss-expires=9&x-oss-credential=c{0}&x-oss-signature={0}",
    "tencent": "q-sign-algorithm=sha1&q-ak=a&q-sign-time={0}&q-key-time={0}&q-header-list=&q-signature={0}",
}


@pytest.mark.parametrize("kind", SIGNED)
def test_a_signed_address_is_known_by_what_stays(tmp_path: Path, server: ImageServer, kind: str) -> None:
    def day(number: int) -> Path:
        targets = [f"/a.jpg?w=300&{SIGNED[kind].format(number)}", f"/a.jpg?{SIGNED[kind].format(number)}&w=600"]
        return table(tmp_path, *(("p1", server.give(each, Answer(RED, etag='"1"'))) for each in targets))

    place = Workspace(tmp_path / "data")
    first = place.extract(day(1), "shop", downloads=QUICK)
    before = sorted(path.name for path in first.folder.iterdir())
    second = place.extract(day(2), "shop", downloads=QUICK)
    assert (first.counts.done, second.counts.done, second.counts.known) == (2, 0, 2)
    assert sorted(path.name for path in second.folder.iterdir()) == before
    assert len(server.requests) == 2
    refreshed = place.extract(day(3), "shop", downloads=DownloadOptions(refresh=True))
    assert refreshed.counts.known == 2
    assert [headers.get("If-None-Match") for _, headers in server.requests[2:]] == ['"1"', '"1"']


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.jpg?signature=1", "a.jpg?signature=2"),  # of a version, not of a right
        ("a.jpg?expires=1", "a.jpg?expires=2"),
        ("a.jpg?sv=1", "a.jpg?sv=2"),
        ("a.jpg?sig=1", "a.jpg?sig=2"),
        ("a.jpg?X-Amz-Signature=1&versionId=1", "a.jpg?X-Amz-Signature=1&versionId=2"),
        (
            "a.jpg?x-oss-process=image/resize,w_1&x-oss-signature=1",
            "a.jpg?x-oss-process=image/resize,w_2&x-oss-signature=1",
        ),
        ("a.jpg?token=1", "a.jpg?token=2"),
        ("a%2Fb.jpg", "a/b.jpg"),
        ("A.jpg", "a.jpg"),
        ("a.jpg?w=1&h=2", "a.jpg?h=2&w=1"),
    ],
)
def test_what_may_be_another_picture_has_another_name(one: str, other: str) -> None:
    names = {name_for_address(f"https://shop.example/{each}", "7") for each in (one, other)}
    assert len(names) == 2


def test_one_picture_listed_with_two_signatures_is_fetched_once(tmp_path: Path, server: ImageServer) -> None:
    rows = [("p1", server.give(f"/a.jpg?X-Amz-Signature={number}", Answer(RED))) for number in (1, 2)]
    report = Workspace(tmp_path / "data").extract(table(tmp_path, *rows), "shop", downloads=QUICK)
    assert (report.counts.done, report.counts.known, report.counts.failed) == (1, 1, 0)


def test_a_table_of_odd_addresses_costs_the_odd_ones_only(tmp_path: Path, server: ImageServer) -> None:
    server.give("/a.jpg?w=3&h=3", Answer(RED))
    good = {
        "amp": f"{server.address}/a.jpg?w=3&amp;h=3",
        "relative": f"{server.address.removeprefix('http:')}/a.jpg?w=3&h=3",
        "shouted": f"HTTP{server.address[4:]}/a.jpg?w=3&h=3",
        "inside": f"data:image/jpeg;base64,{base64.b64encode(RED).decode()}",
    }
    bad = {
        "port": "http://127.0.0.1:70000/a.jpg",
        "label": f"http://{'a' * 64}.example/a.jpg",
        "brackets": "http://[::1/a.jpg",
        "nothing": "data:image/png;base64,",
        "damaged": "data:image/png;base64,A",
        "words": "data:,no picture",
    }
    report = Workspace(tmp_path / "data").extract(table(tmp_path, *good.items(), *bad.items()), "shop", downloads=QUICK)
    assert sorted(each.product_id for each in report.failures) == sorted(bad)
    assert report.counts.done == len(good)
    with (report.folder / "listing.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["product_id"]: row for row in csv.DictReader(file)}
    assert all((report.folder / rows[name]["image"]).read_bytes() == RED for name in good)
    assert rows["inside"]["address"] == ""


def test_one_placeholder_for_several_products_and_dots_are_said(tmp_path: Path, server: ImageServer) -> None:
    placeholder, dot = picture("grey"), picture("white", size=1, kind="GIF")
    rows = [(f"p{number}", server.give(f"/{number}.jpg", Answer(placeholder))) for number in range(4)]
    rows.append(("dot", server.give("/dot.gif", Answer(dot))))
    shared = server.give("/shared.jpg", Answer(RED))
    rows += [("one", shared), ("other", shared)]  # two products of one photo: the shop says so
    for _ in range(2):  # known files are looked at as new ones are
        report = Workspace(tmp_path / "data").extract(table(tmp_path, *rows), "shop", downloads=QUICK)
        assert report.counts.failed == 0
        dots, same = report.notes
        assert dots.startswith("1 product (dot): an image of a few pixels")
        assert same.startswith("4 products (p0, p1, p2, ...): the same image at different addresses")
    arguments = ["extract", "-w", str(tmp_path / "data"), "-d", "shop", "--catalogue", str(table(tmp_path, *rows[:2]))]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "Note: 2 products (p0, p1): the same image" in result.stderr


def peak(process_id: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def odd_addresses_are_answered(service: Service, server: ImageServer) -> None:
    """By a 422 where a picture is asked for, by a failure in a job: never by a 500."""
    far = server.give("/far", Answer(status=302, headers={"Location": "http://127.0.0.1:70000/"}))
    odd = [
        far,
        "http://127.0.0.1:70000/a.jpg",
        "http://[::1/",
        f"http://{'a' * 64}.test/",
        "http://a..b/",
        "//",
        "http://%00",
    ]
    for number, address in enumerate(odd):
        image = {"address": address}
        assert service.post("/v1/search", json={"image": image}).status_code == 422, address
        assert service.put(f"/v1/products/odd{number}", json={"images": [image]}).status_code == 422, address
    products = [{"product_id": f"j{number}", "images": [{"address": each}]} for number, each in enumerate(odd)]
    job = service.post("/v1/jobs", json={"products": products}).json()
    until(lambda: service.get(f"/v1/jobs/{job['job_id']}").json()["state"] in ("done", "failed"))
    ended = service.get(f"/v1/jobs/{job['job_id']}").json()
    assert ended["state"] == "done"
    assert {each["product_id"] for each in ended["failures"]} == {each["product_id"] for each in products}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak")
def test_a_service_answers_odd_addresses_and_keeps_the_pictures_of_a_put_on_the_disk(
    tmp_path: Path, server: ImageServer
) -> None:
    workspace = fitted(tmp_path)
    size = 8_000_000
    heavy = [server.give(f"/{number}.jpg", Answer(picture() + bytes([number]) * size)) for number in range(25)]
    with running(workspace, "--fetch-from", "127.0.0.1") as service:
        odd_addresses_are_answered(service, server)
        first = {"images": [{"address": heavy[0]}]}
        assert service.put("/v1/products/first", json=first).status_code == 201
        before = peak(service.process.pid)
        answer = service.put("/v1/products/heavy", json={"images": [{"address": each} for each in heavy]})
        assert answer.status_code == 201
        assert len(answer.json()["images"]) == len(heavy)
        assert peak(service.process.pid) - before < len(heavy) * size / 2


def test_no_password_no_signature_and_no_picture_in_letters_is_shown(tmp_path: Path, server: ImageServer) -> None:
    host = server.address.removeprefix("http://")
    addresses = [
        f"http://shop:s3cret@{host}/gone.jpg",
        f"{server.address}/signed.jpg?size=2&X-Amz-Signature=s3cret&X-Amz-Date=1",
        "data:image/png;base64," + "QUJD" * 1000,
    ]
    table = tmp_path / "t.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["product_id", "image"], *([f"p{at}", each] for at, each in enumerate(addresses))])
    workspace = Workspace(tmp_path / "data")
    told = [workspace.extract(table, "shop", downloads=DownloadOptions(tries=1)).failures]
    told.append([failure for _, failure in workspace.failures("shop")])
    for failures in told:
        where = [each.location for each in sorted(failures, key=lambda each: each.product_id)]
        assert where[:2] == [f"http://***@{host}/gone.jpg", f"{server.address}/signed.jpg?size=2"]
        assert len(where[2]) < 120 and where[2].startswith("data:image/png;base64,QUJD")
    authorised = {headers.get("Authorization") for headers in server.asked("/gone.jpg")}
    assert authorised == {"Basic " + base64.b64encode(b"shop:s3cret").decode()}
