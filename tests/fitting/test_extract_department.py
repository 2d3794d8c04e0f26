"""A department, from the first version's listing on S3 to its folder."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from image_similarity import Workspace
from image_similarity.catalogue import open_source
from image_similarity.fitting.extract_job import extract_department
from image_similarity.options import DownloadOptions, ExtractOptions
from image_similarity.settings import Settings
from tests.support.servers import Answer, image_server, picture, s3_server


def test_a_listing_on_s3_is_fetched_once_by_a_fit_and_anew_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)
    with image_server() as server:  # all that a reader needs of S3 is an answer to GET
        settings = Settings(root=tmp_path / "data", s3_endpoint=server.address, config_file=tmp_path / "none")
        place = Workspace(settings=settings)
        for number, colour in enumerate(("red", "blue"), start=1):
            address = server.give(f"/{number}.jpg", Answer(picture(colour)))
            rows = f"product_id,title,image_url\np{number},Ball,{address}\n".encode()
            changed = rows.replace(b"Ball", b"Other").replace(b".jpg", b"-gone.jpg")
            server.give("/shop/shop.csv", Answer(rows), Answer(changed))  # it changes as soon as it was read
            server.requests.clear()
            place.fit("shop", "s3://shop/shop.csv", model="colour-shape", allow_removal=True)
            assert len(server.asked("/shop/shop.csv")) == 1
            assert place.similar("shop", f"p{number}", model="colour-shape").query.product.title == "Ball"


def test_a_department_of_the_first_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    key = "images/data/pixlIDs_domain_id_0341_dpt_num_department_371000.gz"
    rows = "product_id_model;id;title\n8156287;476862;Patin\n8156287;476863;Patin\n84;9;Bâton\n"
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "config.py").write_text("aws_access_key_id=a\naws_secret_access_key=b\n")
    with s3_server() as endpoint, image_server() as server:
        server.give("/p476862/", Answer(picture("red")))
        server.give("/p9/", Answer(picture("blue")))
        client: Any = boto3.client(
            "s3", "eu-west-1", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_bucket(Bucket="preprod.datamining", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_object(Bucket="preprod.datamining", Key=key, Body=gzip.compress(rows.encode()))
        settings = Settings(
            root=tmp_path / "data",
            s3_endpoint=endpoint,
            config_file=tmp_path / "config.py",
            image_address=server.address + "/p{pixl_id}/",
        )
        report = extract_department(
            (371, "0341"), settings, ExtractOptions(downloads=DownloadOptions(base_delay=0.001))
        )
    folder = tmp_path / "data" / "dataset" / "dpt_number_department371"
    assert report.folder == folder
    assert (report.counts.done, report.counts.known, report.counts.failed) == (2, 0, 1)
    (failure,) = report.failures
    assert (failure.product_id, failure.image_id) == ("8156287", "8156287_476863.jpg")
    assert failure.location == f"{server.address}/p476863/"
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["8156287_476862.jpg", "84_9.jpg", "listing.csv"]
    titles = [product.title for product in open_source(folder, settings=settings).products()]
    assert titles == ["Patin", "Bâton"]
