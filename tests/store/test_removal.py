"""A catalogue that has shrunk too much to be true: nothing is removed without ``allow_removal``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.cli import first_version as legacy
from image_similarity.errors import RemovalError, UsageError
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.support.interrupted import fit_command, run
from tests.support.shop import MODEL, CountingModel, register, rows

ALL = 40


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> CountingModel:
    return register(monkeypatch)


def table(folder: Path, products: int, *, first: int = 0) -> Path:
    """A catalogue of one image a product."""
    folder.mkdir(exist_ok=True)
    lines = ["product_id,image,title"]
    for number in range(first, first + products):
        paint(folder / f"{number}.png", (number * 5 % 250, 100, number * 3 % 250), size=(8, 8), spot=number + 1)
        lines.append(f"p{number:02},{number}.png,Product {number}")
    (folder / "catalogue.csv").write_text("\n".join(lines) + "\n")
    return folder / "catalogue.csv"


def state(settings: Settings) -> tuple[list[tuple[object, ...]], ...]:
    """All that answers are made of."""
    return tuple(rows(settings, f"SELECT * FROM {name}_shop ORDER BY 1") for name in ("features", "images", "products"))


def found(settings: Settings) -> int:
    return len(rows(settings, "SELECT DISTINCT item_id FROM features_shop WHERE active"))


def test_a_catalogue_that_is_cut_short_takes_nothing_away(settings: Settings, tmp_path: Path) -> None:
    shop = Workspace(settings=settings)
    shop.fit("shop", table(tmp_path / "shop", ALL), model=MODEL, learn=False)
    before, dictionary = state(settings), sorted(settings.root.glob("trained_models/*"))
    written = [path.read_bytes() for path in dictionary]
    short = table(tmp_path / "shop", 25)
    with pytest.raises(RemovalError) as refused:
        shop.fit("shop", short, model=MODEL, learn=False)
    assert "15 of 40 products would be removed (p25, p26, p27, ...)" in str(refused.value)
    assert "the catalogue lists 25 images and none of these" in str(refused.value)
    assert "At most 10%" in str(refused.value) and "--" not in str(refused.value)
    assert state(settings) == before
    assert [path.read_bytes() for path in dictionary] == written
    shop.fit("shop", short, model=MODEL, learn=False, allow_removal=True)
    assert found(settings) == 25


def test_new_products_do_not_hide_those_that_go(settings: Settings, tmp_path: Path) -> None:
    shop = Workspace(settings=settings)
    shop.fit("shop", table(tmp_path / "shop", ALL), model=MODEL, learn=False)
    before = state(settings)
    with pytest.raises(RemovalError, match=r"40 of 40 products"):
        shop.fit("shop", table(tmp_path / "shop", ALL, first=ALL), model=MODEL, learn=False)  # another shop's catalogue
    assert state(settings) == before


def test_pictures_out_of_reach_take_no_product_away(settings: Settings, tmp_path: Path) -> None:
    shop, catalogue = Workspace(settings=settings), table(tmp_path / "shop", ALL)
    shop.fit("shop", catalogue, model=MODEL, learn=False)
    for picture in sorted((tmp_path / "shop").glob("*.png"))[:20]:
        picture.rename(picture.with_suffix(".away"))
    with pytest.raises(RemovalError, match=r"20 of 40 products .* none of their images could be used, 20 failed; the "):
        shop.fit("shop", catalogue, model=MODEL, learn=False)
    assert found(settings) == ALL
    assert len(shop.failures("shop")) == 20
    assert len(shop.fit("shop", catalogue, model=MODEL, learn=False, allow_removal=True).failures) == 20
    assert found(settings) == ALL - 20


def test_a_few_products_and_a_small_share_may_always_go(settings: Settings, tmp_path: Path) -> None:
    shop = Workspace(settings=settings)
    shop.fit("shop", table(tmp_path / "shop", 12), model=MODEL, learn=False)
    shop.fit("shop", table(tmp_path / "shop", 3), model=MODEL, learn=False)  # nine of twelve
    assert found(settings) == 3
    shop.fit("shop", table(tmp_path / "shop", 100), model=MODEL, learn=False)
    shop.fit("shop", table(tmp_path / "shop", 90), model=MODEL, learn=False)  # a tenth
    assert found(settings) == 90


def test_the_share_is_a_setting(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_SIMILARITY_MAX_REMOVAL", "0.5")
    shop = Workspace(settings=Settings.from_environment(root=settings.root))
    shop.fit("shop", table(tmp_path / "shop", ALL), model=MODEL, learn=False)
    shop.fit("shop", table(tmp_path / "shop", 20), model=MODEL, learn=False)
    with pytest.raises(RemovalError, match="At most 50%"):
        shop.fit("shop", table(tmp_path / "shop", 5), model=MODEL, learn=False)
    for wrong in ("2", "-1", "tenth", "nan"):
        monkeypatch.setenv("IMAGE_SIMILARITY_MAX_REMOVAL", wrong)
        with pytest.raises(UsageError, match="a share between 0 and 1"):
            Settings.from_environment()


def test_what_was_put_is_no_product_of_the_catalogue(settings: Settings, tmp_path: Path) -> None:
    from tests.search.test_state import open_shop

    shop = Workspace(settings=settings)
    shop.fit("shop", table(tmp_path / "shop", ALL), model=MODEL, learn=False)
    with open_shop(settings) as opened:
        for number in range(15):
            opened.put(f"p{number:02}", (number, 0, 250))
    shop.fit(
        "shop", table(tmp_path / "shop", 25, first=15), model=MODEL, learn=False
    )  # those that were put are not listed
    assert found(settings) == ALL


def test_an_extract_holds_the_catalogue_against_its_listing(settings: Settings, tmp_path: Path) -> None:
    shop = Workspace(settings=settings)
    shop.extract(table(tmp_path / "shop", ALL), "shop")
    listing = settings.root / "dataset" / "shop" / "listing.csv"
    before, short = listing.read_bytes(), table(tmp_path / "shop", 20)
    with pytest.raises(RemovalError, match=r"20 of 40 products would be removed \(p20, p21, p22, ...\)"):
        shop.extract(short, "shop")
    assert listing.read_bytes() == before
    shop.extract(short, "shop", allow_removal=True)
    assert len(listing.read_text().splitlines()) == 21


def test_the_command_line_says_how_to_go_on(tmp_path: Path) -> None:
    command = fit_command(tmp_path / "data", table(tmp_path / "shop", ALL), "--no-learn")
    assert run(command).returncode == 0
    table(tmp_path / "shop", 20)
    refused = run(command)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: 20 of 40 products would be removed")
    assert "Is it truncated? At most 10% may be removed by default; nothing was removed." in refused.stderr
    assert refused.stderr.endswith("set --allow-removal\n")
    assert run([*command, "--allow-removal"]).returncode == 0


def test_the_first_versions_form_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: object) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "dataset" / "shop"
    for number in range(20):
        paint(folder / f"p{number}_1.png", (number * 10, 50, 200 - number), size=(8, 8), spot=number + 1)
    fit = ["--task", "fit", "--dataset", "shop", "--transfer_model", MODEL, "--data_augmentation", "0"]
    assert legacy.main(fit) == 0
    for number in range(12):
        (folder / f"p{number}_1.png").unlink()
    assert legacy.main(fit) == 1
    assert legacy.main([*fit, "--allow_removal"]) == 0
    shutil.rmtree(folder)
