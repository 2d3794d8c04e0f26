"""A dataset's name is a folder, a table and a file's name: whatever is let through is safe as all three."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from image_similarity.dataset import Dataset
from image_similarity.errors import UsageError
from image_similarity.settings import Folders
from image_similarity.store.codec import encode
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureRow, FeatureStore
from image_similarity.types import CatalogueImage
from image_similarity.util.files import replacing
from tests.conftest import MeanColour
from tests.support.stored import matrix

LONGEST_KEY = "m" * 64 + "@01234567"  # the longest key that a described model can have
EVERYTHING = st.text(st.characters(exclude_categories=()), max_size=100)  # surrogates too
NEARLY_NAMES = st.text(st.sampled_from("aZ7é靴𐌰ً _-.'+&\"/\\\0"), min_size=1, max_size=90)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        (" \t ", "it is empty"),
        ("../x", "it holds '/'"),
        ("a\\b", r"it holds '\\\\'"),
        ('the "best"', "it holds '\"'"),
        ("a;b", "it holds ';'"),
        ("a\0b", r"it holds '\\x00'"),
        ("a\nb", r"it holds '\\n'"),
        ("\ud800", r"it holds '\\ud800'"),
        ("🏒", "it holds '🏒'"),
        ("..", "must start with a letter or a digit"),
        (".hidden", "must start with a letter or a digit"),
        ("-rf", "must start with a letter or a digit"),
        (" shoes", "must start with a letter or a digit"),
        ("shoes ", "must not end with a space"),
        ("shoes.", "must not end with a space or a full stop"),
        ("x" * 81, "longer than 80 characters"),
        ("𐌰" * 80, "longer than 160 bytes"),
    ],
    ids=lambda value: value[:24].encode("unicode_escape").decode(),
)
def test_a_name_that_is_not_safe_is_refused_with_its_reason(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        Dataset.named(name)
    assert repr(unicodedata.normalize("NFC", name)) in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["shoes", "Men's shoes + boots", "обувь", "靴", "zapatos niño", "2019.10", "R&D", "a--b", "x" * 80, "靴" * 53],
)
def test_letters_of_any_alphabet_and_a_few_marks_are_taken_as_they_are(name: str) -> None:
    assert Dataset.named(name).name == name


def test_both_spellings_of_an_accent_are_one_dataset() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert Dataset.named(composed) == Dataset.named(decomposed)
    assert Dataset.named(decomposed).name == composed


def test_a_department_has_the_first_versions_names() -> None:
    department = Dataset.department(371)
    assert department.name == "dpt_number_department371"
    assert department.table() == "features_371"
    assert department.recommendations("VGG") == "similar_models_dpt_num_department_371_model_VGG"
    assert Dataset.named("dpt_number_department371") == department
    assert Dataset.named("shoes").recommendations("VGG") == "shoes_model_VGG"
    assert Dataset.named("shoes").table() == "features_shoes"


@pytest.mark.parametrize("number", [-1, 10**100])
def test_a_department_that_cannot_be_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match=r"0 or more|longer than 80"):
        Dataset.department(number)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Dataset.named("Shoes"), Dataset.named("shoes")),
        (Dataset.named("shoes"), Dataset.named("SHOES")),
        (Dataset.named("7"), Dataset.department(7)),
        (Dataset.department(7), Dataset.named("7")),
    ],
)
def test_two_names_that_would_share_a_table_are_refused_by_name(
    first: Dataset, second: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "features.db"
    Database(path, first, create=True).connection.close()
    with pytest.raises(UsageError) as refused:
        Database(path, second, create=True)
    assert repr(first.name) in str(refused.value)
    assert repr(second.name) in str(refused.value)
    assert "choose another name" in str(refused.value)
    Database(path, first).connection.close()  # the first is as it was


def test_capitals_of_other_alphabets_are_other_tables(tmp_path: Path) -> None:
    for name in ("Été", "été", "ÉTÉ"):
        _keep_and_read(tmp_path, Dataset.named(name))


@given(name=EVERYTHING | NEARLY_NAMES)
@example(name="x" * 80)
@example(name="靴" * 53)
@example(name="𐌰" * 40)
@settings(max_examples=60)
def test_any_text_is_refused_or_is_safe_everywhere(name: str) -> None:
    try:
        dataset = Dataset.named(name)
    except UsageError:
        return
    with TemporaryDirectory() as folder:
        folders = Folders(Path(folder))
        own = folders.images(dataset)
        own.mkdir(parents=True)
        assert Path(os.path.normpath(own)).parent == Path(folder) / "dataset"
        assert [path.name for path in own.parent.iterdir()] == [dataset.name]
        _keep_and_read(Path(folder), dataset)
        with replacing(folders.trained_models / f"{dataset.recommendations(LONGEST_KEY)}.parquet") as temporary:
            temporary.write_bytes(b"x")
        assert len(list(folders.trained_models.iterdir())) == 1


def _keep_and_read(folder: Path, dataset: Dataset) -> None:
    vector = np.array([1, 0, 0], np.float16)
    row = FeatureRow(CatalogueImage("a_1.png", "a", "a_1.png"), "000", b"digest", False, encode(vector))
    with Database(folder / "features.db", dataset, create=True) as database:
        store = FeatureStore(database)
        store.add_model(MeanColour.spec)
        store.add([row], MeanColour.spec.key)
    with Database(folder / "features.db", dataset) as database:
        features = matrix(database, MeanColour.spec.key, ["000"])
    assert features.image_ids == ["a_1.png"]
    assert (features.vectors == vector).all()
