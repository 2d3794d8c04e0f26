"""Fetching an image from a client's address."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from image_similarity.service.guards.addresses import Trusted
from image_similarity.service.guards.fetching import UNREACHED, FetchError, FetchLimits, fetch_image, look_up
from tests.support.servers import Answer, ImageServer, image_server, picture

HERE = FetchLimits(trusted=Trusted.parse(["127.0.0.1/32"]))


class Names:
    """A resolver whose answers for a name are used in turn, the last one repeatedly. It records the names."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.resolved: list[str] = []

    async def __call__(self, name: str, port: int) -> Sequence[str]:
        self.resolved.append(name)
        left = self.answers.get(name)
        if left is None:
            return await look_up(name, port)
        return left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as server:
        yield server


def fetched(
    address: str, limits: FetchLimits = HERE, names: Names | None = None, tls: ssl.SSLContext | None = None
) -> bytes:
    return asyncio.run(fetch_image(address, limits, resolve=names or look_up, tls=tls))


def refused(address: str, limits: FetchLimits = HERE, names: Names | None = None) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetched(address, limits, names)
    return caught.value


def test_a_picture_comes_as_it_is(server: ImageServer) -> None:
    address = server.give("/ball.jpg", Answer(picture()))
    assert fetched(address) == picture()


def test_a_listed_host_is_asked_wherever_it_is(server: ImageServer) -> None:
    address = server.give("/ball.jpg", Answer(picture()))
    port = int(address.split(":")[2].split("/")[0])
    limits = FetchLimits(trusted=Trusted.parse([f"localhost:{port}"]))
    assert fetched(address.replace("127.0.0.1", "localhost"), limits) == picture()
    refused(address, limits)  # the same server by another name is not listed


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_this_machine_is_not_asked_however_it_is_written(server: ImageServer, host: str) -> None:
    address = server.give("/inside", Answer(b"secret"))
    error = refused(address.replace("127.0.0.1", host), FetchLimits())
    assert str(error) == UNREACHED or str(error).startswith("This is not an address")
    assert server.requests == []


def test_one_private_answer_among_several_spoils_the_name(server: ImageServer) -> None:
    port = server.address.rpartition(":")[2]
    error = refused(f"http://shop.test:{port}/", names=Names(shop_test=[["127.0.0.1", "10.0.0.1"]]))
    assert "10.0.0.1" in error.internal
    assert server.requests == []


def test_a_name_is_resolved_once_and_the_checked_address_is_asked(server: ImageServer) -> None:
    address = server.give("/ball.jpg", Answer(picture()))
    names = Names(shop_test=[["127.0.0.1"], ["10.0.0.1"]])  # the second answer is what DNS rebinding brings
    assert fetched(address.replace("127.0.0.1", "shop.test"), names=names) == picture()
    assert names.resolved == ["shop.test"]
    (headers,) = server.asked("/ball.jpg")
    assert headers["Host"] == address.split("/")[2].replace("127.0.0.1", "shop.test")


def test_the_next_address_is_tried_where_nobody_listens(server: ImageServer) -> None:
    address = server.give("/ball.jpg", Answer(picture()))
    names = Names(shop_test=[["127.0.0.2", "127.0.0.1"]])
    limits = FetchLimits(trusted=Trusted.parse(["127.0.0.0/8"]))
    assert fetched(address.replace("127.0.0.1", "shop.test"), limits, names) == picture()


def test_a_redirect_is_followed_and_checked_again(server: ImageServer) -> None:
    server.give("/new.jpg", Answer(picture()))
    address = server.give("/old.jpg", Answer(status=302, headers={"Location": "/new.jpg", "Set-Cookie": "a=b"}))
    assert fetched(address) == picture()
    (headers,) = server.asked("/new.jpg")
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://inner.test:8000/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://a:b@127.0.0.1/",
    ],
)
def test_a_redirect_leads_nowhere_that_an_address_could_not(server: ImageServer, location: str) -> None:
    address = server.give("/", Answer(status=307, headers={"Location": location}))
    refused(address, names=Names(inner_test=[["192.168.0.1"]]))
    assert len(server.requests) == 1


def test_a_name_that_changes_between_redirects_is_refused(server: ImageServer) -> None:
    address = server.give("/", Answer(status=301, headers={"Location": "/secret"})).replace("127.0.0.1", "shop.test")
    names = Names(shop_test=[["127.0.0.1"], ["169.254.169.254"]])
    assert "169.254.169.254" in refused(address, names=names).internal
    assert names.resolved == ["shop.test", "shop.test"]


def test_redirects_end(server: ImageServer) -> None:
    address = server.give("/", Answer(status=302, headers={"Location": "/"}))
    assert "too often" in str(refused(address))
    assert len(server.requests) == 1 + HERE.redirects


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://example.com/a", "http and https"),
        ("file:///etc/passwd", "http and https"),
        ("data:image/png;base64,AA==", "http and https"),
        ("example.com/a", "http and https"),
        ("http://", "http and https"),
        ("http://example.com:99999/", "not an address"),
        ("http://exa mple.com/\n", "not an address"),
        ("http://user:password@example.com/", "password"),
        ("http://example.com:22/", "ports"),
        ("http://example.com:0/", "ports"),
    ],
)
def test_what_no_web_address_may_be_is_told(address: str, message: str) -> None:
    assert message in str(refused(address, names=Names(example_com=[["127.0.0.1"]])))


def test_a_stranger_cannot_tell_a_private_name_from_none_or_from_a_silent_server(server: ImageServer) -> None:
    held = server.give("/held", Answer(hold=True))
    private = refused("http://intranet.test/", names=Names(intranet_test=[["10.0.0.1"]]))
    unknown = refused("http://nothing.invalid/")
    broken = refused(server.give("/broken", Answer(status=500)))
    silent = refused(held, FetchLimits(seconds=0.1, trusted=HERE.trusted))
    assert {str(each) for each in (private, unknown, broken, silent)} == {UNREACHED}
    assert len({each.internal for each in (private, unknown, broken, silent)}) == 4


def test_a_body_that_drips_is_given_up(server: ImageServer) -> None:
    address = server.give("/half", Answer(picture(), half=True))
    assert refused(address, FetchLimits(seconds=0.3, trusted=HERE.trusted)).internal == "took too long"


def test_a_body_that_is_cut_is_not_a_picture(server: ImageServer) -> None:
    refused(server.give("/cut", Answer(picture(), cut=100)))


@pytest.mark.parametrize("declared", [True, False])
def test_a_picture_may_be_as_large_as_the_limit_and_no_larger(server: ImageServer, declared: bool) -> None:
    headers: dict[str, str | None] = {} if declared else {"Transfer-Encoding": "chunked", "Content-Length": None}
    body = b"x" * 1000 if declared else b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"
    address = server.give("/", Answer(body, headers=headers))
    assert len(fetched(address, FetchLimits(most_bytes=1000, trusted=HERE.trusted))) == 1000
    assert "larger than 999 bytes" in str(refused(address, FetchLimits(most_bytes=999, trusted=HERE.trusted)))


def test_a_picture_that_declares_too_much_is_not_waited_for(server: ImageServer) -> None:
    address = server.give("/", Answer(b"x" * 1001, half=True))
    assert "larger" in str(refused(address, FetchLimits(most_bytes=1000, seconds=5, trusted=HERE.trusted)))
    assert not server.released.is_set()


def test_what_unpacks_to_gigabytes_takes_no_memory(server: ImageServer) -> None:
    packed = gzip.compress(bytes(100_000_000))
    address = server.give("/", Answer(packed, headers={"Content-Encoding": "gzip"}))
    fetched(server.give("/first", Answer(picture())))  # what is loaded once is not the bomb's
    tracemalloc.start()
    try:
        assert "larger" in str(refused(address, FetchLimits(most_bytes=100_000, trusted=HERE.trusted)))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_what_is_packed_is_unpacked_and_counted(
    server: ImageServer, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(bytes(1_000_000))
    address = server.give("/", Answer(packed, headers={"Content-Encoding": encoding}))
    assert fetched(address) == bytes(1_000_000)
    assert "larger" in str(refused(address, FetchLimits(most_bytes=999_999, trusted=HERE.trusted)))
    refused(server.give("/cut", Answer(packed[:-20], headers={"Content-Encoding": encoding})))
    refused(server.give("/no", Answer(b"no such thing", headers={"Content-Encoding": encoding})))
    refused(server.give("/other", Answer(b"no such thing", headers={"Content-Encoding": "br"})))


def test_no_proxy_of_the_environment_takes_part(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert fetched(server.give("/ball.jpg", Answer(picture()))) == picture()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key for shop.test, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "shop.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure_port(certificate: Path) -> Iterator[int]:
    """A server that speaks TLS, redirects /down to http, and answers anything else with its Host."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.headers["Host"].encode()
            self.send_response(302 if self.path == "/down" else 200)
            if self.path == "/down":
                self.send_header("Location", "http://shop.test/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_tls_asks_for_the_name_though_the_address_is_connected_to(secure_port: int, certificate: Path) -> None:
    tls = ssl.create_default_context(cafile=certificate)
    names = Names(shop_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
    assert fetched(f"https://shop.test:{secure_port}/", names=names, tls=tls) == f"shop.test:{secure_port}".encode()
    for address in (f"https://other.test:{secure_port}/", f"https://127.0.0.1:{secure_port}/"):
        with pytest.raises(FetchError) as caught:
            fetched(address, names=names, tls=tls)
        assert "certificate" in caught.value.internal


def test_a_certificate_that_nobody_knows_is_refused(secure_port: int) -> None:
    error = refused(f"https://shop.test:{secure_port}/", names=Names(shop_test=[["127.0.0.1"]]))
    assert "certificate" in error.internal


def test_https_does_not_redirect_to_http(secure_port: int, certificate: Path) -> None:
    tls = ssl.create_default_context(cafile=certificate)
    with pytest.raises(FetchError) as caught:
        fetched(f"https://shop.test:{secure_port}/down", names=Names(shop_test=[["127.0.0.1"]]), tls=tls)
    assert "from https to http" in caught.value.internal
