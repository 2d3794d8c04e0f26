"""The first version's README, command by command, against a local S3 and a local image host."""

from __future__ import annotations

import gzip
import os
import pickle
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_similarity.cli import first_version as legacy
from image_similarity.settings import ENVIRONMENT, Settings
from tests.support.networks import put_small_network
from tests.support.servers import Answer, image_server, picture, s3_server

MAIN = Path(__file__).parents[2] / "main.py"
LISTING = "images/data/pixlIDs_domain_id_0341_dpt_num_department_371000.gz"
ROWS = """product_id_model;id;title;description
8401523;1;Hockey stick;Left handed
8401523;2;Hockey stick;Left handed
8401522;3;Shorter stick;
8524152;4;Skates;Size 42
8156286;5;Other skates;Size 43
"""
COLOURS = {1: "#b03020", 2: "#a83828", 3: "#a04030", 4: "#204080", 5: "#304878"}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root folder of the first version: config.py in it, S3 and the image host on this machine."""
    import boto3

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "config.py").write_text("aws_access_key_id=key\naws_secret_access_key=secret\n")
    for name in ("VGG", "Inception_Resnet"):
        put_small_network(Settings(), name)
    with s3_server() as endpoint, image_server() as host:
        client: Any = boto3.client(
            "s3", "eu-west-1", endpoint_url=endpoint, aws_access_key_id="key", aws_secret_access_key="secret"
        )
        client.create_bucket(Bucket="preprod.datamining", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_object(Bucket="preprod.datamining", Key=LISTING, Body=gzip.compress(ROWS.encode()))
        for pixl, colour in COLOURS.items():
            host.give(f"/p{pixl}/", Answer(picture(colour)))
        monkeypatch.setenv(ENVIRONMENT["s3_endpoint"], endpoint)
        monkeypatch.setenv(ENVIRONMENT["image_address"], host.address + "/p{pixl_id}/")
        yield tmp_path


def run(command: str) -> int:
    """A command of the README, without its `python main.py`."""
    return legacy.main(shlex.split(command.removeprefix("python main.py")))


def test_the_readme_of_the_first_version_from_listing_to_answers(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("python main.py --task extract_images --dpt_number 371 --domain_id 0341") == 0
    folder = shop / "data" / "dataset" / "dpt_number_department371"
    images = ["8156286_5.jpg", "8401522_3.jpg", "8401523_1.jpg", "8401523_2.jpg", "8524152_4.jpg"]
    assert sorted(path.name for path in folder.glob("*.jpg")) == images
    assert "5 images seen: 5 downloaded, 0 already known, 0 failed" in capsys.readouterr().err

    assert (
        run(
            "python main.py --task fit --dpt_number 371 --domain_id 0341 --transfer_model Inception_Resnet --number 2 "
            "--data_augmentation 1"
        )
        == 0
    )
    with sqlite3.connect(shop / "data" / "database" / "features.db") as database:
        rows = database.execute("SELECT id, features_Inception_Resnet FROM features_371 ORDER BY id").fetchall()
    database.close()
    assert len(rows) == 5 * 6
    assert rows[0][0] == "8156286_5.jpg,000"
    assert np.frombuffer(rows[0][1], "<f2").shape == (1536,)
    name = "similar_models_dpt_num_department_371_model_Inception_Resnet.pickle"
    dictionary = pickle.loads((shop / "data" / "trained_models" / name).read_bytes())
    assert sorted(dictionary) == ["8156286", "8401522", "8401523", "8524152"]
    assert dictionary["8401523"][0] == "8401522"
    assert all(len(similar) == 2 for similar in dictionary.values())

    capsys.readouterr()
    assert (
        run(
            "python main.py --task show_similar_models --model_id 8401523 --dpt_number 371 "
            "--transfer_model Inception_Resnet"
        )
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Most similar model number 1 : 8401522", "    Shorter stick"]
    assert lines[2].startswith("Most similar model number 2 : ")

    photo = shop / "my photo.jpg"
    photo.write_bytes(picture("#224488"))
    assert (
        run(
            f"python main.py --task search_models --img '{photo}' --transfer_model Inception_Resnet --dpt_number 371 "
            "--data_augmentation 1"
        )
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Most similar model number 1 : 8524152", "    Skates. Size 42"]
    assert lines[2] == "Most similar model number 2 : 8156286"
    assert sum(line.startswith("Most similar model number") for line in lines) == 4


def test_a_second_extract_asks_for_nothing_and_a_second_fit_computes_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert run("--task extract_images --dpt_number 371") == 0
        assert run("--task fit --dpt_number 371 --transfer_model VGG") == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2:] == [
        "5 images seen: 0 downloaded, 5 already known, 0 failed",
        "5 images seen: 0 embedded, 5 already known, 0 failed",
    ]


def test_fit_goes_on_with_the_extracted_images_when_s3_is_out_of_reach(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--task extract_images --dpt_number 371") == 0
    monkeypatch.setenv(ENVIRONMENT["s3_endpoint"], "http://127.0.0.1:9")
    assert run("--task fit --dpt_number 371 --transfer_model VGG") == 0
    assert "Continuing with the images in data/dataset/dpt_number_department371" in capsys.readouterr().err
    assert run("--task show_similar_models --model_id 8401523 --dpt_number 371 --transfer_model VGG") == 0
    assert "    Shorter stick" in capsys.readouterr().out


def test_the_later_form_with_datasets_and_items(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shop / "data" / "dataset" / "sport"
    folder.mkdir(parents=True)
    for name, colour in (("helmet1", "red"), ("helmet2_a", "#ee1100"), ("stick1_x_y", "blue"), ("stick2", "#1100ee")):
        (folder / f"{name}.jpg").write_bytes(picture(colour))
    assert run("--task fit --dataset sport --transfer_model VGG --number 3") == 0
    assert (shop / "data" / "trained_models" / "sport_model_VGG.pickle").exists()
    capsys.readouterr()
    assert run("--task show_similar_items --dataset sport --item helmet1 --transfer_model VGG --number 1") == 0
    assert capsys.readouterr().out.splitlines() == ["Most similar items to item: helmet1", "Number 1 : helmet2"]
    assert run(f"--task visual_search --dataset sport --img {folder}/stick2.jpg --transfer_model VGG --number 1") == 0
    assert capsys.readouterr().out.splitlines() == ["Most similar item number 1 : stick2"]
    assert run("--task visual_search --dataset sport --transfer_model VGG") == 2
    # The later form computes the six views by default.
    with sqlite3.connect(shop / "data" / "database" / "features.db") as database:
        assert database.execute("SELECT count(*) FROM features_sport").fetchone() == (24,)
    database.close()


def test_a_random_model_is_named(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--task extract_images --dpt_number 371") == 0
    assert run("--task fit --dpt_number 371 --transfer_model VGG --number 1") == 0
    capsys.readouterr()
    assert run("--task show_similar_models --dpt_number 371 --transfer_model VGG") == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("Most similar models to model: 8")
    assert second.startswith("Most similar model number 1 : 8")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--task fit", "give --dpt_number or --dataset"),
        ("--task fit --dpt_number 1 --dataset a", "not both"),
        ("--task fit --dpt_number -1 --transfer_model VGG", "must be 0 or more"),
        ("--task fit --dpt_number seven", "invalid int value: 'seven'"),
        ("--task bake --dpt_number 1", "invalid choice: 'bake'"),
        ("--dpt_number 1", "required: --task"),
        ("--task fit --dataset ../x", "is no name for a dataset"),
        ("--task fit --dataset sport --transfer_model GPT", "there is no model 'GPT'"),
        ("--task fit --dpt_number 371 --transfer_model VGG --number 0", "--number must be 1 or more"),
        ("--task search_models --dpt_number 371 --transfer_model VGG", "takes --img"),
        ("--task extract_images --dataset sport", "takes --dpt_number"),
        ("--task fit --dpt_number 371 --data_augmentation 2", "invalid choice: 2"),
        ("--task extract_images --dpt_number 371 --domain_id ../1", "domain"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(shop: Path, arguments: str, reason: str) -> None:
    (shop / "data" / "dataset" / "sport").mkdir(parents=True)
    result = subprocess.run(
        [sys.executable, MAIN, *shlex.split(arguments)],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert reason in result.stderr
    assert result.stdout == ""


def test_some_failed_images_are_exit_code_3(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--task extract_images --dpt_number 371") == 0
    (shop / "data" / "dataset" / "dpt_number_department371" / "8524152_4.jpg").write_text("<html>")
    assert run("--task fit --dpt_number 371 --transfer_model VGG") == 3
    error = capsys.readouterr().err
    assert "5 images seen: 4 embedded, 0 already known, 1 failed" in error
    assert "8524152_4.jpg" in error
    assert "a web page" in error


def test_without_the_network_the_weights_are_missed_in_one_line(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    shutil.rmtree(shop / "data" / "models")
    assert run("--task extract_images --dpt_number 371") == 0
    monkeypatch.setenv(ENVIRONMENT["weights_address"], "http://127.0.0.1:9/keras")
    capsys.readouterr()
    assert run("--task fit --dpt_number 371 --transfer_model VGG") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "http://127.0.0.1:9/keras/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5" in line
    assert "--weights FILE" in line
    assert "--model colour-shape" in line
    assert not [path for path in (shop / "data" / "models").rglob("*") if path.is_file()]
