"""S3: whose keys are used, what is said when it goes wrong, and the first version's listing."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_similarity.catalogue import open_source
from image_similarity.catalogue.department_listing import department_location, open_department
from image_similarity.catalogue.s3 import aws_keys
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.settings import Settings
from tests.support.servers import Answer, image_server, s3_server

SECRET = "sEcReT/kEy+0123456789"
BUCKET = "preprod.datamining"
KEY = "images/data/pixlIDs_domain_id_0341_dpt_num_department_371000.gz"
LISTING = (
    "product_id_model;id;title;description\n8156287;476862;Patin;Glisse\n8156287;476863;Patin;Glisse\n84;9;Bâton;\n"
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        import boto3

        client: Any = boto3.client(
            "s3", "eu-west-1", endpoint_url=address, aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_object(Bucket=BUCKET, Key=KEY, Body=gzip.compress(LISTING.encode()))
        client.put_object(Bucket=BUCKET, Key="paths.csv", Body=b"sku,file\n1,a.jpg\n")
        yield address


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys of the machine that runs the tests, and no query to a cloud about them."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def settings(endpoint: str, tmp_path: Path) -> Settings:
    config = tmp_path / "config.py"
    config.write_text(f"aws_access_key_id=AKIAKEY\naws_secret_access_key={SECRET}\n")
    return Settings(s3_endpoint=endpoint, config_file=config, image_address="http://images.example/p{pixl_id}/")


def test_a_departments_listing_names_files_as_the_first_version_did(settings: Settings) -> None:
    source = open_department(371, "0341", settings)
    for _ in range(2):
        images = list(source)
        assert [image.image_id for image in images] == ["8156287_476862.jpg", "8156287_476863.jpg", "84_9.jpg"]
        assert images[0].location == "http://images.example/p476862/"
    assert [(p.product_id, p.title, p.description) for p in source.products()] == [
        ("8156287", "Patin", "Glisse"),
        ("84", "Bâton", ""),
    ]
    assert source.failures == []


def test_department_zero_is_all_of_them() -> None:
    assert department_location(0, "0341").endswith("/pixlIDs_domain_id_0341_dpt_num_department_0000.gz")


@pytest.mark.parametrize("domain_id", ["", "../x", "03 41", "0341\n", "é", "a/b", "a" * 65])
def test_a_domain_that_is_none_is_a_wrong_request(domain_id: str) -> None:
    with pytest.raises(UsageError, match="domain_id"):
        open_department(371, domain_id, Settings())


def test_a_negative_department_or_an_address_without_a_place_is_a_wrong_request() -> None:
    with pytest.raises(UsageError, match="dpt_number"):
        open_department(-1, "0341", Settings())
    with pytest.raises(UsageError, match="pixl_id"):
        open_department(1, "0341", Settings(image_address="https://x/"))


def test_a_pixl_id_cannot_change_the_rest_of_the_address(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("product_id_model;id\n7;../a?b\n")
    (image,) = open_source(tmp_path / "t.csv", settings=Settings(image_address="http://x/p{pixl_id}/{0.__class__}"))
    assert image.location == "http://x/p..%2Fa%3Fb/{0.__class__}"


@pytest.mark.parametrize(
    "text",
    [
        "aws_access_key_id=AKIA\naws_secret_access_key=a/b+c=\n",
        "aws_access_key_id = 'AKIA'  # mine\naws_secret_access_key = \"a/b+c=\";\n",
        "\ufeffimport os\r\n\r\n  AWS_ACCESS_KEY_ID='AKIA'\r\n\taws_secret_access_key=a/b+c= # x\r\n",
        "# aws_access_key_id=OLD\naws_access_key_id=OLD\naws_access_key_id=AKIA\naws_secret_access_key=a/b+c=",
    ],
)
def test_the_first_versions_file_of_keys(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.py"
    path.write_bytes(text.encode())
    assert aws_keys(path) == {"aws_access_key_id": "AKIA", "aws_secret_access_key": "a/b+c="}


def test_the_file_of_keys_is_never_run(tmp_path: Path) -> None:
    path, proof = tmp_path / "config.py", tmp_path / "ran"
    harm = f"open({str(proof)!r}, 'w')"
    path.write_text(f"{harm}\naws_access_key_id=AKIA\naws_secret_access_key=x\n{harm}\n")
    assert aws_keys(path)["aws_access_key_id"] == "AKIA"
    path.write_text(f"aws_access_key_id={harm}\naws_secret_access_key=x\n")
    with pytest.raises(CatalogueError, match=r"never run"):
        aws_keys(path)
    assert not proof.exists()


def test_one_key_without_the_other_is_said_and_none_is_no_file_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_text(f"aws_secret_access_key={SECRET}\n")
    with pytest.raises(CatalogueError, match="has no aws_access_key_id") as caught:
        aws_keys(path)
    assert SECRET not in str(caught.value)
    path.write_text("DEBUG = True\n")
    assert aws_keys(path) == {}
    assert aws_keys(tmp_path / "absent.py") == {}


def used_key(settings: Settings) -> str:
    """The key that a request is signed with."""
    with image_server() as server:
        server.give(f"/{BUCKET}/{KEY}", Answer(gzip.compress(LISTING.encode())))
        list(open_department(371, "0341", replace(settings, s3_endpoint=server.address)))
        (asked,) = server.asked(f"/{BUCKET}/{KEY}")
    return asked["Authorization"].partition("Credential=")[2].partition("/")[0]


def test_the_file_wins_over_the_environment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROM-ENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert used_key(settings) == "AKIAKEY"
    settings.config_file.unlink()
    assert used_key(settings) == "FROM-ENVIRONMENT"
    assert len(list(open_department(371, "0341", settings))) == 3


def test_without_any_keys_both_ways_to_give_them_are_said(settings: Settings) -> None:
    settings.config_file.unlink()
    with pytest.raises(CatalogueError, match=r"config\.py, or set AWS_ACCESS_KEY_ID"):
        list(open_department(371, "0341", settings))


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("s3://preprod.datamining/none.csv", "no object none.csv"),
        ("s3://nowhere-at-all/x.csv", "no bucket nowhere-at-all"),
        ("s3://Not_A-Bucket!/x", "not a name"),
        ("s3://bucket-only", "s3://bucket/key"),
    ],
)
def test_what_is_not_there_is_named(settings: Settings, location: str, says: str) -> None:
    with pytest.raises(CatalogueError, match=says) as caught:
        list(open_source(location, settings=settings))
    assert location in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "AKIAKEY" not in str(caught.value)


@pytest.mark.parametrize("password", ["simple", SECRET])
def test_an_endpoint_that_nobody_answers_is_named_without_its_password(settings: Settings, password: str) -> None:
    with socket.socket() as taken:  # a port that is ours, and that nobody listens on
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        silent = Settings(s3_endpoint=f"http://user:{password}@127.0.0.1:{port}", config_file=settings.config_file)
        with pytest.raises(CatalogueError, match=f"127.0.0.1:{port}") as caught:
            list(open_department(371, "0341", silent))
    assert password not in str(caught.value)


def test_keys_with_odd_characters_are_not_quoted_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.config_file.unlink()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA\nODD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(CatalogueError) as caught:
        list(open_department(371, "0341", settings))
    assert "AKIA" not in str(caught.value)


def test_an_endpoint_that_is_no_address_is_quoted(settings: Settings) -> None:
    with pytest.raises(CatalogueError, match="localhost-without-scheme"):
        list(open_source("s3://shop/t.csv", settings=replace(settings, s3_endpoint="localhost-without-scheme")))


@pytest.mark.parametrize(
    ("code", "says"),
    [("AccessDenied", "no permission to read it"), ("InvalidAccessKeyId", "does not know"), ("Odd", "S3 returned Odd")],
)
def test_a_refusal_is_said_in_words(settings: Settings, code: str, says: str) -> None:
    body = f"<Error><Code>{code}</Code><AWSAccessKeyId>AKIAKEY</AWSAccessKeyId></Error>".encode()
    with image_server() as server:
        server.give("/shop/t.csv", Answer(body, status=403))
        refusing = Settings(s3_endpoint=server.address, config_file=settings.config_file)
        with pytest.raises(CatalogueError, match=says) as caught:
            list(open_source("s3://shop/t.csv", settings=refusing))
    assert "AKIAKEY" not in str(caught.value)


def test_an_object_that_breaks_off_is_asked_for_again_and_then_given_up(settings: Settings) -> None:
    body = b"sku,url\n7,http://x/7.jpg\n"
    with image_server() as server:
        server.give("/shop/twice.csv", Answer(body, cut=10), Answer(body, cut=0), Answer(body))
        server.give("/shop/never.csv", Answer(body, cut=10))
        breaking = Settings(s3_endpoint=server.address, config_file=settings.config_file)
        assert [image.product_id for image in open_source("s3://shop/twice.csv", settings=breaking)] == ["7"]
        with pytest.raises(CatalogueError, match="no complete response"):
            list(open_source("s3://shop/never.csv", settings=breaking))
        assert len(server.asked("/shop/never.csv")) == 3


def test_a_table_on_s3_lists_addresses_and_not_paths(settings: Settings) -> None:
    source = open_source(f"s3://{BUCKET}/paths.csv", settings=settings)
    assert list(source) == []
    assert [failure.product_id for failure in source.failures] == ["1"]  # type: ignore[attr-defined]


def test_importing_the_catalogue_imports_nothing_heavy() -> None:
    heavy = "{'boto3', 'botocore', 'pyarrow', 'httpx', 'PIL', 'numpy'}"
    code = f"import image_similarity.catalogue, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
