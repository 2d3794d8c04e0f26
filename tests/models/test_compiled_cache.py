"""Networks kept ready for a search: the same vectors, and never those of a network that has changed since."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.models import compiled_cache as ready
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import no_progress
from tests.support.models import load_model
from tests.support.networks import put_small_network

PIXELS = np.random.default_rng(5).integers(0, 256, (2, 224, 224, 3), np.uint8)


@pytest.fixture
def network(settings: Settings) -> Path:
    return put_small_network(settings, "VGG")


def embed(settings: Settings, one: bool) -> NDArray[np.float32]:
    return load_model(ModelChoice("VGG"), settings, no_progress, one).embed(PIXELS)


def kept(settings: Settings) -> list[Path]:
    return sorted((settings.root / "models").glob("*.ready"))


def test_a_network_kept_ready_gives_the_same_vectors_and_is_not_compiled_again(
    settings: Settings, network: Path
) -> None:
    many = embed(settings, one=False)
    assert kept(settings) == []
    first = embed(settings, one=True)
    (path,) = kept(settings)
    assert path.name.startswith("VGG.")
    written = path.stat()
    second = embed(settings, one=True)
    assert kept(settings) == [path]
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, many, atol=1e-6)


def test_a_changed_network_is_compiled_again_and_the_old_one_goes(settings: Settings, network: Path) -> None:
    before = embed(settings, one=True)
    (old,) = kept(settings)
    weights = network / "model.bin"
    values = weights.read_bytes()
    numbers = 512 * 64  # of the projection, which is the last thing in the file
    weights.write_bytes(
        values[: -4 * numbers] + (-np.frombuffer(values, "<f4", numbers, len(values) - 4 * numbers)).tobytes()
    )
    after = embed(settings, one=True)
    assert kept(settings) != [old]
    assert len(kept(settings)) == 1
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, embed(settings, one=False), atol=1e-6)


@pytest.mark.parametrize("harm", ["cut", "changed", "empty", "other"])
def test_a_damaged_one_is_passed_over_and_written_again(settings: Settings, network: Path, harm: str) -> None:
    before = embed(settings, one=True)
    (path,) = kept(settings)
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "cut": whole[:middle],
        "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "empty": b"",
        "other": b"another version's" + ready.FOOTER.pack(ready.MAGIC, zlib.crc32(b"another version's")),
    }
    path.write_bytes(damaged[harm])
    np.testing.assert_array_equal(embed(settings, one=True), before)
    again = path.read_bytes()
    body, footer = again[: -ready.FOOTER.size], again[-ready.FOOTER.size :]
    assert ready.FOOTER.unpack(footer) == (ready.MAGIC, zlib.crc32(body))
    assert len(again) > len(damaged[harm]) or harm == "changed"


def test_a_place_that_cannot_be_written_is_no_error(settings: Settings, network: Path) -> None:
    before = embed(settings, one=True)
    (path,) = kept(settings)
    path.unlink()
    (path / "folder").mkdir(parents=True)
    np.testing.assert_array_equal(embed(settings, one=True), before)
    assert path.is_dir()


def test_openvino_comes_without_its_converter_which_can_still_be_had() -> None:
    script = """
import sys
from image_similarity.models.openvino_runtime import import_openvino
openvino = import_openvino()
assert import_openvino() is openvino
loaded = {name for name in sys.modules if "telemetry" in name or name.startswith("openvino.tools.ovc")}
assert not loaded, loaded
from openvino.tools.ovc import convert_model
assert openvino.convert_model is convert_model and not hasattr(openvino, "no_such_thing")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env={"CI": "true", "PYTHONPATH": _path()})


def _path() -> str:
    return ":".join(path for path in sys.path if path)
