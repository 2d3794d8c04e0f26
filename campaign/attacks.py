"""Attacks on a service: requests that are cheap to send and expensive to answer.

Under each attack the service must grow by less than 1.5 GB, answer ``/healthz`` in half a second, and work afterwards.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import httpx
import numpy as np
from PIL import Image
from tests.support.pictures import encoded
from tests.support.servers import Answer, image_server
from tests.support.service import Service, running

from campaign import shop
from campaign.commands import fit, run
from campaign.trial import Trial
from campaign.watching import Watch
from image_similarity.service.storage.query_photos import PRUNED_EVERY

PRODUCTS = 30
GROWS = 1500.0  # MB over the idle service
WAITS = 0.5  # seconds for /healthz
ENDS = 90.0  # seconds until each request of an attack is answered or refused
KEPT_PHOTOS = 20
SIDE = 4900  # pixels: 24 megapixels, nearly all that a service takes
REFUSED = (400, 408, 413, 414, 415, 422, 429, 431, 503)
SMALL: dict[str, dict[str, object]] = {
    "WEBP": {"quality": 1, "method": 0},
    "PNG": {"compress_level": 1},
    "TIFF": {"compression": "tiff_lzw"},
}
"""Options that compress a plain image quickly and well."""
Attack = Callable[[Trial, Service], None]


def send_all(trial: Trial, requests: Sequence[Callable[[], httpx.Response]], allowed: Sequence[int]) -> None:
    """Send all requests at once; every status must be allowed."""

    def send(request: Callable[[], httpx.Response]) -> None:
        try:
            status = request().status_code
        except (httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError):
            status = 413  # the service closed the connection before the whole body was sent
        except httpx.HTTPError as error:
            trial.check(False, f"no answer: {type(error).__name__}")
            return
        trial.count("requests")
        trial.check(status in allowed, f"answered with {status}")

    threads = [threading.Thread(target=send, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _base(service: Service) -> str:
    return service.address.rstrip("/")


def _post(service: Service, path: str, **body: object) -> Callable[[], httpx.Response]:
    return lambda: httpx.post(_base(service) + path, timeout=ENDS, **body)  # type: ignore[arg-type]


def _search(service: Service, photo: bytes) -> Callable[[], httpx.Response]:
    return _post(service, "/v1/search", files={"file": photo})


def large_images(trial: Trial, service: Service) -> None:
    """Eight searches at once with small files of many pixels, in every format that compresses them well."""
    plain = Image.new("RGB", (SIDE, SIDE), "red")
    made = {
        "WebP": encoded(plain, "WEBP", quality=1, method=0),
        "grey PNG of 16 bits": encoded(Image.new("I;16", (SIDE, SIDE)), "PNG", compress_level=1),
        "PNG with alpha": encoded(Image.new("RGBA", (SIDE, SIDE)), "PNG", compress_level=1),
        "PNG with a palette": encoded(Image.new("P", (SIDE, SIDE)), "PNG", compress_level=1),
        "TIFF of floats": encoded(Image.new("F", (SIDE, SIDE)), "TIFF", compression="tiff_adobe_deflate"),
    }
    for photo in made.values():
        send_all(trial, [_search(service, photo)] * 8, (200, *REFUSED))
    beyond = encoded(Image.new("1", (2 * SIDE, 2 * SIDE)), "PNG", compress_level=1)
    send_all(trial, [_search(service, beyond)] * 8, REFUSED)


def many_scans(trial: Trial, service: Service) -> None:
    """Progressive JPEGs with two thousand copies of their last scan."""
    whole = encoded(shop.image(1, 1200), "JPEG", progressive=True)
    last = whole.rfind(b"\xff\xda")
    photo = whole[:-2] + whole[last:-2] * 2000 + whole[-2:]
    send_all(trial, [_search(service, photo)] * 4, (200, *REFUSED))


def packed_tables(trial: Trial, service: Service) -> None:
    """Tables that unpack to a thousand times their size: rows without end, and cells that are one string, repeated."""
    import pyarrow
    import pyarrow.parquet

    rows = io.BytesIO()
    with gzip.GzipFile(fileobj=rows, mode="wb", compresslevel=9) as file:
        file.write(b"product_id,image\n")
        for _ in range(400):
            file.write(b"p,https://example.invalid/a.jpg\n" * 31_250)
    text = pyarrow.array(["x" * 10_000])
    column = pyarrow.DictionaryArray.from_arrays(np.zeros(1_000_000, np.int32), text)
    cells = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table({"product_id": column, "image": column, "title": column}), cells, compression="zstd"
    )
    bombs = {"bomb.csv.gz": rows.getvalue()}, {"bomb.parquet": cells.getvalue()}
    for bomb, times in zip(bombs, (2, 6), strict=True):
        files = {"file": next(iter(bomb.items()))}
        send_all(trial, [_post(service, "/v1/jobs", files=files)] * times, (202, *REFUSED))


def addresses(trial: Trial, service: Service) -> None:
    """Products of fifty large images each, which are fetched: upserted at once, and imported."""
    kinds = ("WEBP", "PNG", "JPEG", "GIF", "TIFF")
    plain = Image.new("RGB", (SIDE, SIDE), "red")
    plain.paste("blue", (0, 0, SIDE // 2, SIDE // 2))
    with image_server() as server:
        given = [server.give(f"/{kind}", Answer(encoded(plain, kind, **SMALL.get(kind, {})))) for kind in kinds]
        images = [{"address": address} for address in given * 10]
        bodies = [{"product_id": f"many-{each}", "images": images[:most]} for each, most in enumerate((50, 5, 5))]
        puts = [
            lambda body=body: httpx.put(
                f"{_base(service)}/v1/products/{body['product_id']}", json={"images": body["images"]}, timeout=ENDS
            )
            for body in bodies
        ]
        send_all(trial, puts, (201, 503))
        job = service.post("/v1/jobs", json={"products": [{**each, "images": images[:5]} for each in bodies]}).json()
        for _ in range(600):
            state = service.get(f"/v1/jobs/{job['job_id']}").json()
            if state["state"] in ("done", "failed"):
                break
            time.sleep(0.1)
        trial.count("images", 60 + 15)
        trial.check(state["state"] == "done" and not state["failed"], f"an import of large images: {state}")


def bodies_that_take_long(trial: Trial, service: Service) -> None:
    """A form field in an encoding that is slow to decode, and JSON of nothing but keys."""
    line = "--frontier\r\nContent-Disposition: form-data; name="
    slow = f'{line}"text"\r\nContent-Type: text/plain; charset=punycode\r\n\r\n' + "a" * 1_000_000
    for charset in ("punycode", "undefined", "idna", "utf-7"):
        form = (slow.replace("punycode", charset) + "\r\n--frontier--\r\n").encode()
        headers = {"Content-Type": "multipart/form-data; boundary=frontier"}
        send_all(trial, [_post(service, "/v1/search", content=form, headers=headers)], REFUSED)
    keys = "{" + ",".join(f'"{number}":0' for number in range(1_500_000)) + "}"
    deep = "[" * 100_000
    for text in (keys, '{"image": ' + keys + "}", deep, '{"image": {"base64": "' + "A" * 20_000_000 + '"}}'):
        headers = {"Content-Type": "application/json"}
        send_all(trial, [_post(service, "/v1/search", content=text.encode(), headers=headers)] * 2, REFUSED)


def heads_without_end(trial: Trial, service: Service) -> None:
    """Headers, an address or chunk framing that never end, twenty at once; the service must close the connection."""
    endless = b"X: " + b"y" * 60_000 + b"\r\n"
    body = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    kinds = (
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", endless),
        (b"GET /", b"a" * 60_000),
        (body + b"1;", b"a" * 60_000),
        (body + b"1\r\n{\r\n0\r\n", endless),
        (body, b"1\r\n \r\n" * 10_000),
    )

    def send(start: bytes, more: bytes) -> None:
        with suppress(OSError), _connection(service) as connection:
            connection.sendall(start)
            for _ in range(1000):  # 60 MB
                connection.sendall(more)
            connection.settimeout(5)
            output = connection.recv(100)
            trial.check(output[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431"), f"answered {output!r}")

    for _ in range(20):
        threads = [threading.Thread(target=send, args=each) for each in kinds * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        trial.count("requests", len(threads))


def photos_to_keep(trial: Trial, service: Service) -> None:
    """More photos than the service may keep; the folder must stay within the limit."""
    for number in range(300):
        sent = service.post("/v1/photos", files={"file": encoded(shop.image(number, 64), "PNG")})
        trial.check(sent.status_code in (201, *REFUSED), f"a photo to keep: {sent.status_code}")
        trial.count("requests")
    kept = len(list((service.workspace / "photos").rglob("*.jpg")))
    trial.check(kept <= KEPT_PHOTOS + PRUNED_EVERY, f"{kept} photos are kept")


def idle_and_slow(trial: Trial, service: Service) -> None:
    """Nine hundred connections that send nothing, and a hundred whose bodies never end."""
    head = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: 99999\r\n\r\n{"
    with _connections(service, 900), _connections(service, 100) as slow:
        for connection in slow:
            with suppress(OSError):
                connection.sendall(head)
        time.sleep(1)
        began = time.monotonic()
        answer = service.get("/v1/products/p1/similar")
        trial.check(answer.status_code == 200, f"beside idle and slow clients: {answer.status_code}")
        photo = service.post("/v1/search", files={"file": encoded(shop.image(1, 64), "PNG")}).status_code
        took = time.monotonic() - began
        trial.check(photo == 200 and took < 15, f"a search beside idle and slow clients: {photo} after {took:.0f} s")
        trial.count("connections", 1000)


def readers_that_do_not_read(trial: Trial, service: Service) -> None:
    """A hundred and fifty clients request large responses, or small ones too often, and read nothing."""
    large = encoded(Image.fromarray(np.random.default_rng(2).integers(0, 256, (1200, 1200, 3), np.uint8)), "PNG")
    put = service.put("/v1/products/large", files={"images": large})
    trial.check(put.status_code == 201, f"a product with a large image: {put.status_code}")
    for path, times in (("/v1/products?number=200", 100), (put.json()["images"][0]["url"], 15)):
        with _connections(service, 150) as clients:
            for connection in clients:
                connection.settimeout(0.2)
                with suppress(OSError):
                    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * times)
            time.sleep(5)
            trial.count("connections", len(clients))
    service.delete("/v1/products/large")


def foreign_attributes(trial: Trial, service: Service) -> None:
    """A few products with a hundred junk attributes must not break the filters of the shop's own attributes."""
    for number in range(3):
        junk = {f"junk{number}-{place}": "x" for place in range(100)}
        answer = service.put(
            f"/v1/products/junk-{number}",
            data={"product": json.dumps({"attributes": junk})},
            files={"images": encoded(shop.image(number), "PNG")},
        )
        trial.check(answer.status_code in (200, 201, *REFUSED), f"a hundred attributes: {answer.status_code}")
    time.sleep(2)
    query = {"image": {"base64": base64.b64encode(encoded(shop.image(2), "PNG")).decode()}, "filter": "price < 5"}
    found = service.post("/v1/search", json=query)
    trial.check(found.status_code == 200, f"the shop's own filter: {found.status_code} {found.text[:200]}")
    body = {"product": json.dumps({"attributes": {"n" * 15_000_000: "x"}})}
    files = {"images": encoded(shop.image(1), "PNG")}
    large = httpx.put(f"{_base(service)}/v1/products/large", data=body, files=files, timeout=ENDS).status_code
    trial.check(large in REFUSED, f"an attribute's name of 15 MB: {large}")


def forged_senders(trial: Trial, service: Service) -> None:
    """A client that forges ``X-Forwarded-For`` is still limited as one client."""
    statuses = [
        httpx.get(f"{_base(service)}/v1/products/p1", headers={"X-Forwarded-For": f"10.0.0.{number}"}).status_code
        for number in range(60)
    ]
    trial.count("requests", len(statuses))
    trial.check(0 < statuses.count(200) < 30, f"{statuses.count(200)} of 60 requests were answered at one a second")


@contextmanager
def _connection(service: Service) -> Iterator[socket.socket]:
    host, port = service.address.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


@contextmanager
def _connections(service: Service, number: int) -> Iterator[list[socket.socket]]:
    """Up to ``number`` open connections; those that are refused are left out."""
    with ExitStack() as stack:
        held = []
        for _ in range(number):
            with suppress(OSError):
                held.append(stack.enter_context(_connection(service)))
        yield held


def _under(attack: Attack, *flags: str) -> Callable[[Trial], None]:
    """An experiment: the attack on a monitored service, repeated once where only the response time was too long."""

    def experiment(trial: Trial) -> None:
        workspace = trial.folder / "data"
        trial.check_run(run(fit(workspace, shop.draw(trial.folder / "shop", range(PRODUCTS)))), 0)
        photo = encoded(shop.image(8), "PNG")
        with running(workspace, "--fetch-from", "127.0.0.1", *flags) as service:
            service.search(photo)
            for _ in range(2):  # the machine may have been busy with something else
                with Watch(service.process.pid, service.address) as watch:
                    attack(trial, service)
                trial.counts["MB"] = max(trial.counts["MB"], round(watch.grew))
                trial.check(watch.grew < GROWS, f"grew by {watch.grew:.0f} MB")
                if watch.waited < WAITS:
                    break
            trial.counts["ms"] = round(1000 * watch.waited)
            trial.check(watch.waited < WAITS, f"/healthz took {watch.waited:.2f} s")
            _check_after(trial, service, photo)

    return experiment


def _check_after(trial: Trial, service: Service, photo: bytes) -> None:
    """The service still runs, answers, has no traceback in its log, and stops on SIGTERM."""
    trial.check(service.process.poll() is None, f"the service ended with {service.process.poll()}")
    for _ in range(100):  # the rate limit may still refuse requests
        status = service.post("/v1/search", files={"file": photo}).status_code
        if status not in (429, 503):
            break
        time.sleep(0.3)
    trial.check(status == 200, f"a search afterwards: {status}")
    trial.check_log(service.log)
    began = time.monotonic()
    service.process.terminate()
    with suppress(Exception):
        service.process.wait(30)
    took = time.monotonic() - began
    trial.check(took < 25, f"SIGTERM afterwards: {took:.0f} s")


EXPERIMENTS = {
    "attack: large images": (_under(large_images), 2),
    "attack: many scans": (_under(many_scans), 1),
    "attack: packed tables": (_under(packed_tables), 2),
    "attack: addresses": (_under(addresses), 2),
    "attack: slow to parse": (_under(bodies_that_take_long), 2),
    "attack: heads without end": (_under(heads_without_end), 1),
    "attack: idle and slow clients": (_under(idle_and_slow), 1),
    "attack: clients that do not read": (_under(readers_that_do_not_read), 1),
    "attack: foreign attributes": (_under(foreign_attributes), 1),
    "attack: photos to keep": (_under(photos_to_keep, "--photos", str(KEPT_PHOTOS)), 1),
    "attack: forged senders": (_under(forged_senders, "--rate", "1"), 1),
}
