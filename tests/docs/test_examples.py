"""Every public class and method has an example in its docstring, and every example runs."""

from __future__ import annotations

import doctest
import gzip
import inspect
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_similarity
from image_similarity import Workspace
from image_similarity.catalogue.department_listing import department_location
from image_similarity.collection import Collection
from image_similarity_demo import FAMILIES
from tests.quality.test_adapt import catalogue
from tests.support.drawn import part
from tests.support.servers import Answer, image_server, picture

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODEL = "colour-shape"
LEARNS = ("Workspace.adapt", "Workspace.calibrate")


def public() -> Iterator[tuple[str, object]]:
    """The package, its public classes, and the public methods of those that are called rather than read."""
    yield "image_similarity", image_similarity
    for name in image_similarity.__all__:
        found = getattr(image_similarity, name)
        if inspect.isclass(found):
            yield name, found
    for kind in (Workspace, Collection):
        for name, member in vars(kind).items():
            if inspect.isfunction(member) and not name.startswith("_"):
                yield f"{kind.__name__}.{name}", member


def fitted(folder: Path, source: Path, photo: Path) -> Path:
    """What the examples find where they run: a folder of images, a photo, and a workspace with a dataset `shop`."""
    shutil.copy(photo, folder / "photo.jpg")
    workspace = Workspace(folder / "data")
    workspace.fit("shop", source, model=MODEL, learn=False)
    workspace.use("shop", MODEL)
    return folder


@pytest.fixture(scope="module")
def small(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the drawn shop, with too few products to learn from: a fit is quick."""
    folder = tmp_path_factory.mktemp("examples")
    families = [family for family in FAMILIES if family.prefix in ("ball", "stick")]
    sample = part(drawn_shop, folder / "sample", families)
    shutil.copytree(sample / "images", folder / "photos")
    return fitted(folder, sample, min((drawn_shop / "photos").iterdir()))


@pytest.fixture(scope="module")
def teaching(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with enough products to learn from."""
    folder = tmp_path_factory.mktemp("teaching")
    pictures = catalogue(folder / "photos", 32, 100, images=2)
    return fitted(folder, pictures, min((drawn_shop / "photos").iterdir()))


@pytest.fixture
def desk(name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy for each example, and servers for those that download."""
    shop: Path = request.getfixturevalue("teaching" if name in LEARNS else "small")
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with image_server() as server:
        ball, stick = (
            server.give(f"/p{number}/", Answer(picture(colour))) for number, colour in ((1, "red"), (2, "blue"))
        )
        (tmp_path / "feed.csv").write_text(f"product_id,image\nball,{ball}\nstick,{stick}\n")
        place = department_location(371, "0341").removeprefix("s3:/")
        server.give(place, Answer(gzip.compress(b"product_id_model;id\n8;1\n9;2\n")))
        monkeypatch.setenv("IMAGE_SIMILARITY_S3_ENDPOINT", server.address)
        monkeypatch.setenv("IMAGE_SIMILARITY_IMAGE_ADDRESS", server.address + "/p{pixl_id}/")
        yield tmp_path


@pytest.mark.parametrize(("name", "found"), [pytest.param(*each, id=each[0]) for each in public()])
def test_its_example_runs(name: str, found: object, desk: Path) -> None:
    text = inspect.getdoc(found) or ""
    test = doctest.DocTestParser().get_doctest(text, {"workspace": Workspace("data")}, name, name, 0)
    assert test.examples, f"{name} has no example"
    printed = io.StringIO()
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=printed.write)
    assert not failed, printed.getvalue()
