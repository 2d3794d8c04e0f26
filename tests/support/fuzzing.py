"""What the fuzzers share: texts that people and machines send, how many examples, and what an end must look like."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st

from image_similarity import Workspace
from image_similarity.cli.exits import exit_code_of
from tests.support.shop import paint_shop

LONG = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""How often each door is asked by `make fuzz`; 0: a few times, the same on every run."""
NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there: no fuzzer asks the internet."""
OFFLINE = ("WEIGHTS_ADDRESS", "HUB_ADDRESS", "S3_ENDPOINT")

ODD = (
    "",
    " ",
    "-",
    "--",
    "-1",
    "0",
    "1e999",
    "nan",
    "٣",
    "1_0",
    "9" * 400,
    "a\nb",
    "\x1b[31m",
    "\u202e",
    "\udcff",
    "é",
    "🏒",
)
PATHS = (
    "",
    ".",
    "no/such",
    "pictures",
    "pictures/red_1.png",
    "products.csv",
    "data",
    "a" * 300,
    "a\nb",
    "\udcff",
    "x/../y",
)
TEXT = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_characters="\0"), max_size=20))


def examples(few: int) -> settings:
    """So many examples in the suite; as many as were asked for in a long run."""
    return settings(
        max_examples=LONG or few,
        derandomize=not LONG,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


@dataclass
class Ended:
    """A command that was run here."""

    code: int
    out: str
    err: str


def end_of(command: Callable[[], int]) -> Ended:
    """Run a command line's function as its process would."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = exit_code_of(command)
    return Ended(code, out.getvalue(), err.getvalue())


def check(done: Ended) -> None:
    """An exit code that is documented; who is refused is told why, in one line that starts so."""
    assert done.code in (0, 1, 2, 3, 4), done
    assert "Traceback" not in done.err
    if done.code in (1, 2):
        assert any(line.casefold().startswith(("error: ", "usage: ")) for line in done.err.splitlines()), done


@contextmanager
def offline() -> Iterator[None]:
    """No address of the internet is asked; what is not given is asked for in vain."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OFFLINE:
            patch.setenv(f"IMAGE_SIMILARITY_{name}", NOWHERE)
        yield


@contextmanager
def fitted_shop(folder: Path) -> Iterator[Workspace]:
    """A fitted shop in a folder, where everything happens as long as the block lasts; no internet."""
    with pytest.MonkeyPatch.context() as patch, offline():
        patch.chdir(folder)
        paint_shop(folder / "pictures")
        (folder / "products.csv").write_text("product_id,title,price\nred,A red one,3\nblue,A blue one,5\n")
        shop = Workspace("data")
        shop.fit("shop", "pictures", products="products.csv", model="colour-shape", learn=False)
        yield shop
