"""Any argument to any method of a workspace that its type allows: an answer, or an error with a sentence."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from image_similarity import Workspace, options
from image_similarity.errors import ImageSimilarityError
from image_similarity.options import DownloadOptions, ModelChoice
from tests.support.fuzzing import NOWHERE, ODD, PATHS, examples, fitted_shop
from tests.support.shop import paint_shop

METHODS = ("extract", "fit", "similar", "search", "evaluate", "adapt", "use", "compare", "calibrate", "failures")
ONCE = DownloadOptions(tries=1)
PLACES = (
    *(*PATHS, "a\0b", "\ud800", "\0", "/dev/null", "/dev/zero", "pictures/..", "C:\\x", "\\\\x\\y", "%00", "~"),
    *(f"{NOWHERE}/x.png", "http://[::1", "http://a:99999/", "s3://", "s3://b/k", "s3://b\0/k", "//host/x.png"),
    *("data:", "data:,x", "data:image/png;base64,AAAA", "file:///etc/hostname", "ftp://x/y"),
)
MODELS = (
    *("", "colour", "colour-shape", "colour+colour-shape", "colour+colour", "2*colour", "-1*colour", "0*colour"),
    *("1e-320*colour+colour-shape", "1e308*colour+colour-shape", "nan*colour", "1e-9*colour+1e9*colour-shape", "+"),
    *("colour+adapted", "adapted", "x.toml", "pictures.toml", "timm:", "timm:\0", "a\0.toml", "a" * 300 + ".toml"),
)
FILTERS = (
    *(
        "price < 5",
        'price < "x"',
        "price = 1e400",
        "[a]]] = 3",
        "price in ()",
        "not " * 50 + "price < 3",
        "price = nan",
    ),
    *(
        "(" * 999 + "price < 1",
        "price < 1 " + "or price < 1 " * 999,
        "price = " + "9" * 5000,
        "price = nan",
        "\ud800 = 1",
    ),
)
NUMBERS = (0, 1, 2, 5, -1, 10**6, 2**31, 2**63, 10**30, True)
SHARES = (0.0, 0.5, 1.0, -1.0, 2.0, math.nan, math.inf, 1e-320, 1e308)
TEXTS = st.one_of(st.sampled_from((*ODD, "\0", "\ud800", "a" * 300)), st.text(max_size=8))
RIGHT: dict[str, Any] = {
    "dataset": "shop",
    "catalogue": "pictures",
    "query": "pictures/red_1.png",
    "model": "colour-shape",
    "old": "colour-shape",
    "new": "colour-shape",
    "product_id": "red",
    "downloads": ONCE,
    "stored_only": True,
    "images": 30,
}


@pytest.fixture(scope="module", autouse=True)
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A folder with a fitted shop, where everything happens."""
    with fitted_shop(tmp_path_factory.mktemp("python")) as shop:
        yield shop


def values(name: str, annotation: str) -> st.SearchStrategy[Any]:
    """What a parameter's type lets through, right or not."""
    if name == "pairs":
        return st.lists(st.tuples(st.sampled_from(("red", "blue", "", "\0")), st.sampled_from(("red", "\ud800"))))
    if name == "columns":
        column = st.one_of(TEXTS, st.lists(TEXTS, max_size=2))
        return st.dictionaries(st.sampled_from(("image", "product", "title", "x", "")), column, max_size=2)
    if name in ("match", "aggregate"):
        return st.sampled_from(("shape", "colour", "best", "mean", "votes", ""))
    if name == "crop":
        return st.none()
    if name in ("model", "old", "new"):
        model = st.sampled_from(MODELS)
        precise = st.builds(ModelChoice, model, precision=st.sampled_from(("auto", "fp32", "bf16", "int8")))
        return st.one_of(model, TEXTS, precise, *([st.lists(model, max_size=2)] if "Sequence" in annotation else []))
    if name == "filter":
        return st.one_of(st.sampled_from(FILTERS), TEXTS)
    if name in ("query", "photo"):
        one = st.one_of(st.sampled_from(PLACES), st.sampled_from(PLACES).map(Path), st.binary(max_size=30))
        return st.one_of(one, st.lists(one, max_size=2), st.none())
    for kind, some in (("bool", (True, False)), ("float", SHARES), ("int", NUMBERS)):
        if annotation.startswith(kind):
            return st.sampled_from(some)
    if "Path" in annotation:
        return st.one_of(st.sampled_from(PLACES), TEXTS, st.sampled_from(PLACES).map(Path))
    return TEXTS


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A method, what it needs, mostly right, and a few arguments of chance."""
    method = draw(st.sampled_from(METHODS))
    annotations = arguments_of(method)
    odd = draw(st.sets(st.sampled_from([each for each in annotations if each != "downloads"]), max_size=2))
    given_values = {}
    for name, annotation in annotations.items():
        if name in odd:
            given_values[name] = draw(values(name, annotation))
        elif name in RIGHT:
            given_values[name] = RIGHT[name]
    return method, given_values


def arguments_of(method: str) -> dict[str, str]:
    """What a method takes by name, single options among it, each with its type."""
    parameters = inspect.signature(getattr(Workspace, method)).parameters
    names = {name: str(each.annotation) for name, each in parameters.items() if name not in ("self", "changes")}
    record = names.pop("options", None)
    records = [getattr(options, record.partition(" ")[0])] if record else []
    for kind in [*records, *([options.Query] if method == "search" else [])]:
        names |= {each.name: str(each.type) for each in fields(kind)}
    return names


@examples(50)
@given(calls())
def test_any_argument_of_its_type(shop: Workspace, call: tuple[str, dict[str, Any]]) -> None:
    method, arguments = call
    assume(str(arguments.get("catalogue")) not in ("data", ".", "x/../y"))  # a shop that grows with every look
    try:
        getattr(shop, method)(**arguments)
    except ImageSimilarityError as error:
        assert str(error).strip()


@pytest.mark.parametrize("number", [2**31, 10**30, True])
@pytest.mark.parametrize("aggregate", ["best", "mean", "votes"])
def test_more_products_than_there_are_is_all_of_them(shop: Workspace, number: int, aggregate: str) -> None:
    found = shop.search("shop", "pictures/red_1.png", model="colour-shape", number=number, aggregate=aggregate)
    assert len(found.matches) == min(number, 4)


@pytest.mark.parametrize("place", ["a\0b", "\ud800", "a" * 300, "a/" * 3000])
def test_a_text_that_is_no_files_name_is_a_sentence(shop: Workspace, place: str) -> None:
    for ask in (
        lambda: shop.fit("other", place, model="colour-shape"),
        lambda: shop.fit("other", "pictures", products=Path(place), model="colour-shape"),
        lambda: shop.extract(place, "other", downloads=ONCE),
        lambda: shop.extract("pictures", "other", products=place, downloads=ONCE),
        lambda: shop.search("shop", place, model="colour-shape"),
        lambda: shop.search("shop", "pictures/red_1.png", model=f"{place}.toml"),
        lambda: shop.evaluate("shop", model="colour-shape", labels=place),
    ):
        with pytest.raises(ImageSimilarityError):
            ask()


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are text there")
def test_a_workspace_may_lie_where_a_name_is_no_text(shop: Workspace, tmp_path: Path) -> None:
    """A folder's name is bytes: one of another encoding is half a character to Python."""
    odd = Workspace(tmp_path / "caf\udce9")
    odd.fit("shop", "pictures", products="products.csv", model="colour-shape")
    odd.use("shop", "colour-shape")
    assert odd.search("shop", "pictures/red_1.png").matches[0].product_id == "red"
    wanted = [match.product_id for match in odd.similar("shop", "red").matches]
    assert wanted
    table = tmp_path / "caf\udce9" / "images.csv"
    table.write_text("product_id,image\nred,red_1.png\n")
    paint_shop(table.parent)
    with pytest.raises(ImageSimilarityError, match="the path of the file is not UTF-8"):
        odd.fit("other", table, model="colour-shape")
