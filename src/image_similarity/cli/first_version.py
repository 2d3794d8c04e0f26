"""The first version's command line, ``python main.py --task ...``, in both of its forms.

Translates its flags to calls of the workspace, and answers to the lines that it printed. "Model" here means a product,
as in the first version.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from image_similarity.cli.exits import exit_code_of
from image_similarity.cli.progress import Bars
from image_similarity.cli.terminal import log, show_note, visible, write
from image_similarity.dataset import Dataset
from image_similarity.errors import SOME_FAILED, CatalogueError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from image_similarity.options import ModelChoice
    from image_similarity.search import Answer
    from image_similarity.settings import Settings
    from image_similarity.types import CatalogueSource
    from image_similarity.workspace import Workspace

TRANSFER_MODELS = ("VGG", "Inception_Resnet")
DEFAULT_NUMBER = 10


class _OneLineParser(argparse.ArgumentParser):
    """A parser that raises errors as :class:`UsageError`, shown as one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


@dataclass(frozen=True, slots=True)
class _Call:
    """One parsed call of the first version."""

    flags: argparse.Namespace
    workspace: Workspace

    @property
    def settings(self) -> Settings:
        return self.workspace.settings

    @property
    def older(self) -> bool:
        """Whether it is the older form, which names a department; the later one names a dataset."""
        return self.flags.dataset is None

    @property
    def dataset(self) -> Dataset:
        if self.older:
            return Dataset.department(self.flags.dpt_number)
        return Dataset.named(self.flags.dataset)

    @property
    def model(self) -> ModelChoice:
        from image_similarity.options import ModelChoice

        # The first version's column is `features_VGG`, and holds what Keras computes.
        return ModelChoice(self.flags.transfer_model, self.flags.weights, self.flags.weights_digest, "fp32")

    @property
    def number(self) -> int:
        given: int | None = self.flags.number
        return DEFAULT_NUMBER if given is None else given

    @property
    def data_augmentation(self) -> int:
        """By default 0 in the older form, 1 in the later one."""
        given: int | None = self.flags.data_augmentation
        return given if given is not None else int(not self.older)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task and return the exit code."""
    return exit_code_of(lambda: _run(arguments), "--{}".format)


def _run(arguments: Sequence[str] | None) -> int:
    from image_similarity.settings import Settings
    from image_similarity.workspace import Workspace

    flags = _parser().parse_args(arguments)
    if (flags.dataset is None) == (flags.dpt_number is None):
        raise UsageError("give --dpt_number or --dataset, and not both")
    with Bars() as bars:
        workspace = Workspace(settings=Settings.from_environment(), progress=bars, notes=show_note)
        return TASKS[flags.task](_Call(flags, workspace))


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="main.py", description="The first version's tasks.", allow_abbrev=False)
    parser.add_argument("--task", required=True, choices=sorted(TASKS))
    parser.add_argument("--dpt_number", type=int, help="a department; 0 means all")
    parser.add_argument("--domain_id", default="0341")
    parser.add_argument("--dataset", help="a folder of data/dataset (the later form)")
    parser.add_argument("--transfer_model", default="Inception_Resnet", help=" or ".join(TRANSFER_MODELS))
    parser.add_argument("--number", type=int, help="how many similar products; 10 when left out")
    parser.add_argument("--data_augmentation", type=int, choices=(0, 1))
    parser.add_argument("--model_id", help="a product")
    parser.add_argument("--item", help="a product (the later form)")
    parser.add_argument("--img", help="a photo's path")
    parser.add_argument("--weights", type=Path, help="a local file of the network's weights")
    parser.add_argument("--weights_digest", help="MD5 or SHA-256 of your own weights")
    parser.add_argument(
        "--header", action="append", default=[], help="'Name: value' to send with downloads; repeatable"
    )
    parser.add_argument(
        "--allow_removal",
        "--allow-removal",
        action="store_true",
        help="continue even if many products are no longer listed",
    )
    return parser


def _extract(call: _Call) -> int:
    from image_similarity.cli.printing import show_counts
    from image_similarity.cli.workspace import headers_of
    from image_similarity.options import DownloadOptions

    if not call.older:
        raise UsageError("extract_images takes --dpt_number: a dataset's images are put into its folder by hand")
    report = call.workspace.extract_department(
        call.flags.dpt_number,
        call.flags.domain_id,
        downloads=DownloadOptions(headers=headers_of(call.flags.header)),
        allow_removal=call.flags.allow_removal,
    )
    show_counts("downloaded", report.counts, report.failures, call.dataset.name)
    return SOME_FAILED if report.failures else 0


def _fit(call: _Call) -> int:
    from image_similarity.cli.printing import show_counts, show_overridden
    from image_similarity.options import FitOptions

    options = FitOptions(
        model=call.model,
        data_augmentation=call.data_augmentation,
        number=call.number,
        aggregate="votes",
        allow_removal=call.flags.allow_removal,
        download=False,  # extract_images downloads
        learn=False,
    )
    with _catalogue(call) as catalogue:
        report = call.workspace.fit(call.dataset.name, catalogue, options)
    show_counts("embedded", report.counts, report.failures, call.dataset.name)
    show_overridden(report.embedded.overridden)
    return SOME_FAILED if report.failures else 0


def _catalogue(call: _Call) -> AbstractContextManager[CatalogueSource | Path]:
    """The department's current listing on S3; if S3 cannot be reached, the folder of extracted images."""
    from image_similarity.catalogue import CatalogueSnapshot, open_department
    from image_similarity.settings import Folders

    folder = Folders(call.settings.root).images(call.dataset)
    if call.older:
        try:
            return CatalogueSnapshot(open_department(call.flags.dpt_number, call.flags.domain_id, call.settings))
        except CatalogueError as error:
            if not folder.is_dir():
                raise
            log(str(error))
            log(f"Continuing with the images in {folder}")
    return nullcontext(folder)


def _show(call: _Call) -> int:
    product = call.flags.model_id if call.older else call.flags.item
    answer = call.workspace.similar(call.dataset.name, product, model=call.model, number=call.flags.number)
    name = answer.query.product.product_id
    if not call.older:
        _print(f"Most similar items to item: {name}")
    elif product is None:
        _print(f"Most similar models to model: {name}")
    _print_matches(answer, "Most similar model number" if call.older else "Number")
    return 0


def _search(call: _Call) -> int:
    if call.flags.img is None:
        raise UsageError(f"{call.flags.task} takes --img, the path of a photo")
    answer = call.workspace.search(
        call.dataset.name,
        call.flags.img,
        model=call.model,
        number=call.number,
        data_augmentation=call.flags.data_augmentation,
    )
    _print_matches(answer, f"Most similar {'model' if call.older else 'item'} number")
    return 0


def _print_matches(answer: Answer, prefix: str) -> None:
    for match, shown in zip(answer.matches, answer.shown, strict=True):
        _print(f"{prefix} {match.rank} : {match.product_id}")
        texts = (text.strip() for text in (shown.product.title, shown.product.description))
        if described := ". ".join(text for text in texts if text):
            _print(f"    {' '.join(described.split())}")


def _print(line: str) -> None:
    write(visible(line) + "\n")


TASKS: dict[str, Callable[[_Call], int]] = {
    "extract_images": _extract,
    "fit": _fit,
    "show_similar_models": _show,
    "search_models": _search,
    "show_similar_items": _show,
    "visual_search": _search,
}
"""The function of each task; the older form's names first."""
