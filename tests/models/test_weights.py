"""Weights over the network: had once, checked, and never half; every way to fail says what to do instead."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from image_similarity.errors import UsageError, WeightsError
from image_similarity.models.keras_networks import NETWORKS
from image_similarity.models.weights import WeightsFile, check_digest, fetch, verify
from image_similarity.options import ModelChoice
from image_similarity.settings import Folders, Settings
from image_similarity.types import no_progress
from tests.support.disk import largest_file
from tests.support.models import load_model
from tests.support.servers import Answer, ImageServer, image_server

BODY = bytes(range(256)) * 40
RECORD = WeightsFile("small.h5", "network", len(BODY), hashlib.md5(BODY).hexdigest())
PATH = "/network/small.h5"


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


def get(address: str, folder: Path, record: WeightsFile = RECORD) -> Path:
    return fetch(record, "VGG", address, folder, no_progress)


def refused(address: str, folder: Path, record: WeightsFile = RECORD) -> str:
    """The error of a download that came to nothing, after checking what all of them have in common."""
    with pytest.raises(WeightsError) as caught:
        get(address, folder, record)
    message = str(caught.value)
    assert "\n" not in message
    for named in (f"{address.rstrip('/')}{PATH}", "small.h5", "`weights` FILE", "`model` colour-shape"):
        assert named in message
    assert not folder.exists() or list(folder.iterdir()) == []
    return message


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}"


# Well --------------------------------------------------------------------------------------------------------------


def test_a_good_file_is_kept_and_not_asked_for_twice(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(BODY))
    for _ in range(2):
        file = get(server.address, tmp_path / "models" / "weights")
        assert file == tmp_path / "models" / "weights" / "small.h5"
        assert file.read_bytes() == BODY
    assert len(server.requests) == 1
    assert [path.name for path in file.parent.iterdir()] == ["small.h5"]


def test_the_address_may_end_in_a_slash_and_lead_elsewhere(server: ImageServer, tmp_path: Path) -> None:
    server.give(f"/mirror{PATH}", Answer(status=302, headers={"Location": "/elsewhere"}))
    server.give("/elsewhere", Answer(BODY))
    assert get(f"{server.address}/mirror/", tmp_path).read_bytes() == BODY


def test_a_sha256_does_as_well_as_an_md5(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(BODY))
    record = replace(RECORD, digest=hashlib.sha256(BODY).hexdigest())
    assert get(server.address, tmp_path, record).read_bytes() == BODY


def test_progress_is_told_in_bytes(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(BODY))
    steps: list[tuple[str, int, int | None]] = []
    fetch(RECORD, "VGG", server.address, tmp_path, lambda stage, done, total=None: steps.append((stage, done, total)))
    assert steps[-1] == ("download small.h5", len(BODY), len(BODY))


def test_after_a_failure_the_next_try_starts_anew(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(status=500), Answer(BODY, cut=100), Answer(BODY))
    refused(server.address, tmp_path)
    refused(server.address, tmp_path)
    assert get(server.address, tmp_path).read_bytes() == BODY


# Badly -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_a_server_that_refuses_is_quoted(server: ImageServer, tmp_path: Path, status: int) -> None:
    server.give(PATH, Answer(b"no such thing", status=status))
    assert f"the server answers {status}" in refused(server.address, tmp_path)


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    assert "cannot download small.h5 (0 MB) from http://127.0.0.1" in refused(closed_port(), tmp_path)


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1", "nowhere", "http://127.0.0.1:port", f"http://{'a' * 100}.example", ""]
)
def test_an_address_that_is_none_is_named(tmp_path: Path, address: str) -> None:
    refused(address, tmp_path)


def test_a_body_that_is_cut_short_is_not_kept(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(BODY, cut=5000))
    refused(server.address, tmp_path)


def test_a_whole_file_that_is_shorter_is_not_kept(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(BODY[:5000]))
    assert "and 5000 bytes, expected" in refused(server.address, tmp_path)


def test_wrong_bytes_are_not_kept(server: ImageServer, tmp_path: Path) -> None:
    wrong = BODY[:-1] + b"!"
    server.give(PATH, Answer(wrong))
    message = refused(server.address, tmp_path)
    assert message.startswith(f"{server.address}{PATH} does not hold the weights of VGG")
    assert hashlib.md5(wrong).hexdigest() in message
    assert f"md5 {RECORD.digest} and {len(BODY)} bytes" in message


def test_a_body_that_never_ends_is_given_up(server: ImageServer, tmp_path: Path) -> None:
    """The rest does not come before the server is released, and nobody waits for it."""
    server.give(PATH, Answer(bytes(8_000_000), half=True))
    steps: list[int] = []
    with pytest.raises(WeightsError, match="expected md5"):
        fetch(RECORD, "VGG", server.address, tmp_path, lambda stage, done, total=None: steps.append(done))
    assert max(steps, default=0) <= len(BODY)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_called_so_and_nothing_is_kept(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(BODY))
    with largest_file(1000), pytest.raises(WeightsError) as caught:
        get(server.address, tmp_path)
    assert f"could not be kept: cannot write {tmp_path / 'small.h5'}: File too large" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(server: ImageServer, tmp_path: Path) -> None:
    server.give(PATH, Answer(BODY))
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(WeightsError) as caught:
        get(server.address, tmp_path / "models" / "weights")
    assert f"the weights of VGG could not be kept: cannot write {tmp_path / 'models'}" in str(caught.value)


def test_a_cached_file_that_was_altered_is_refused_not_used(server: ImageServer, tmp_path: Path) -> None:
    (tmp_path / "small.h5").write_bytes(BODY[:-1])
    with pytest.raises(WeightsError, match="does not hold the weights of VGG"):
        get(server.address, tmp_path)
    assert server.requests == []


# As a user meets it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["VGG", "Inception_Resnet"])
def test_a_first_run_without_the_internet_says_what_to_do_in_one_line(settings: Settings, name: str) -> None:
    address, official = closed_port(), NETWORKS[name].weights
    with pytest.raises(WeightsError) as caught:
        load_model(ModelChoice(name), replace(settings, weights_address=address), no_progress)
    message = str(caught.value)
    assert "\n" not in message
    for named in (f"{address}/{official.folder}/{official.file}", "`weights` FILE", "`model` colour-shape"):
        assert named in message
    assert f"{official.file} ({official.size // 1_000_000} MB)" in message
    assert [path for path in Folders(settings.root).models.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("name", "module"), [("VGG", "vgg19"), ("Inception_Resnet", "inception_resnet_v2")])
def test_the_official_files_are_those_of_keras_own_source(name: str, module: str) -> None:
    keras = find_spec("keras")  # found, not imported
    assert keras is not None
    assert keras.origin is not None
    source = (Path(keras.origin).parent / "src" / "applications" / f"{module}.py").read_text()
    joined, record = re.sub(r'"\s+"', "", source), NETWORKS[name].weights
    assert f'"{Settings().weights_address}{record.folder}/' in joined
    assert record.file in joined
    assert f'file_hash="{record.digest}"' in joined


def test_a_digest_is_taken_in_any_case_and_with_spaces_around() -> None:
    assert check_digest(f" {RECORD.digest.upper()}\n") == RECORD.digest
    with pytest.raises(UsageError):
        check_digest(RECORD.digest[1:])


def test_the_size_is_checked_only_where_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "own.h5").write_bytes(BODY)
    verify(tmp_path / "own.h5", RECORD.digest, None, "VGG")
    with pytest.raises(WeightsError, match="and 5 bytes"):
        verify(tmp_path / "own.h5", RECORD.digest, 5, "VGG")
