"""How a vector is stored, and that anyone can read it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from image_similarity.dataset import Dataset
from image_similarity.errors import StoreError
from image_similarity.store.codec import decode, encode
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureRow, FeatureStore
from image_similarity.types import CatalogueImage
from tests.conftest import MeanColour

VECTORS = arrays.arrays(np.float16, st.integers(1, 64), elements=st.floats(width=16, allow_nan=False))


@given(vector=VECTORS)
def test_a_vector_comes_back_bit_for_bit(vector: NDArray[np.float16]) -> None:
    blob = encode(vector)
    back = decode(blob, len(vector))
    assert len(blob) == 2 * len(vector)
    assert back.dtype == np.float16
    assert back.tobytes() == vector.tobytes()


@given(vector=VECTORS)
def test_the_bytes_do_not_depend_on_the_processor(vector: NDArray[np.float16]) -> None:
    assert encode(vector.astype(">f2")) == encode(vector)


def test_the_bytes_are_little_endian_halves() -> None:
    assert encode(np.array([1, -2, 0.5], np.float32)).hex() == "003c00c00038"


@pytest.mark.parametrize("length", [0, 5, 7, 8])
def test_a_blob_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(StoreError, match=f"has {length} bytes, 6 were expected"):
        decode(bytes(length), 3)


def test_stored_vectors_can_be_read_with_one_line_and_no_code_of_ours(tmp_path: Path) -> None:
    vector = np.array([0.6, 0.8, 0], np.float32)
    image = CatalogueImage("8156287_1.jpg", "8156287", "8156287_1.jpg")
    with Database(tmp_path / "features.db", Dataset.named("shoes"), create=True) as database:
        store = FeatureStore(database)
        store.add_model(MeanColour.spec)
        store.add([FeatureRow(image, "000", b"\1\2", True, encode(vector))], MeanColour.spec.key)

    with closing(sqlite3.connect(tmp_path / "features.db")) as connection:
        table = connection.execute('SELECT * FROM "features_shoes"')
        assert [column[0] for column in table.description] == [
            *("id", "item_id", "view", "white_background", "active", "digest", "features_mean-colour"),
        ]
        (*row, blob) = table.fetchone()
    assert row == ["8156287_1.jpg,000", "8156287", "000", 1, 1, b"\1\2"]
    np.testing.assert_array_equal(np.frombuffer(blob, "<f2"), vector.astype(np.float16))
