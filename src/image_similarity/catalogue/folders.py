"""Folders as catalogues: the first version's file names, or one folder per product."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from image_similarity.catalogue.names import RESERVED, is_image_name, is_text, product_of, shown, shown_text
from image_similarity.catalogue.product_join import JoinedSource
from image_similarity.catalogue.tables import ProductTable
from image_similarity.errors import CatalogueError
from image_similarity.types import CatalogueImage, Failure

CAMERA = re.compile(
    r"img|image|_?dsc|dsc[nf]|dcim|pxl|mvimg|pic|photo|picture|foto|scan|screenshot|"
    r"(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d",
    re.IGNORECASE,
)
"""Prefixes that cameras, phones and scanners give to all their images."""
NUMBERED = re.compile(r"(?P<name>.*[^\W\d].*?)(?:[ -](?P<number>\d{1,2})| ?\((?P<copy>\d{1,2})\))")
"""Names numbered by hand, as for images of one product: ``shoe-1``, ``shoe 2``, ``shoe (3)``."""
MIN_GROUP = 2
JUNK = frozenset(
    ("__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini")
)
"""Files and folders that operating systems create."""


class FolderSource(JoinedSource):
    """Images of one flat folder, in the order of their names.

    ``failures`` are of the last iteration: a name that is not UTF-8, a name without a product, a folder where images
    were expected.
    """

    def __init__(self, folder: Path, products: ProductTable | None = None) -> None:
        super().__init__(products)
        self.folder = folder

    def check(self) -> None:
        """Also note names that look like a camera's or numbered by hand."""
        images = Counter(image.product_id for image in self)
        super().check()
        if type(self) is not FolderSource:
            return  # with a folder per product there is no doubt
        numbered = _numbered(images) if self.product_table is None else []
        if 2 * len(numbered) >= len(images) > 1:
            self.note(
                f"{len(numbered)} of {len(images)} products have names numbered like the images of one product, "
                f"such as {', '.join(map(repr, numbered[:2]))}. The product of a file is the part of its name before "
                "the first _. If these are one product, list the images in a table: product_id,image"
            )
            return
        for product_id, count in images.items():
            if count >= MIN_GROUP and (CAMERA.fullmatch(product_id) or len(images) == 1):
                self.note(
                    f"{count} images are taken for one product, {product_id!r}. The product of a file is the part of "
                    "its name before the first _. If this is wrong, list the images in a table: product_id,image"
                )
                return

    def _images(self) -> Iterator[CatalogueImage]:
        """Images named ``{product}_{anything}.jpg``."""
        skipped = Counter[str]()
        for path in listed(self.folder):
            if path.is_dir():
                self._fail(path, "a folder among the images of a flat folder is not read")
            elif is_image_name(path.name):
                yield from self._image(path, path.name, product_of(path.name))
            else:
                _count(skipped, path)
        self._note_skipped(skipped)

    def _image(self, path: Path, image_id: str, product_id: str) -> Iterator[CatalogueImage]:
        if not is_text(str(path)):
            self._fail(path, "the file's name is not UTF-8")
        elif not product_id.strip():
            self._fail(path, "the file's name has no product before its first _")
        else:
            yield CatalogueImage(image_id, product_id, str(path))

    def _note_skipped(self, skipped: Counter[str]) -> None:
        """Note the files that are no images by their extension."""
        if skipped:
            endings = ", ".join(sorted(skipped))
            self.note(
                f"{skipped.total()} files are not images by their extension and were skipped: {shown_text(endings)}"
            )

    def _fail(self, path: Path, reason: str) -> None:
        place = shown(path)
        self.failures.append(Failure("list", reason, "", shown(path.relative_to(self.folder)), place))


class ProductFolders(FolderSource):
    """Images of a folder with one folder per product: image ids are ``folder/file``. Lists one folder at a time.

    ``depth`` 2: the product folders are grouped in folders, as in ``shoes/p1/1.jpg``.
    """

    def __init__(self, folder: Path, products: ProductTable | None = None, depth: int = 1) -> None:
        super().__init__(folder, products)
        self._depth = depth

    def _images(self) -> Iterator[CatalogueImage]:
        skipped = Counter[str]()
        first: dict[str, Path] = {}  # at depth 2: the first folder of each name
        for folder in self._folders(self.folder, self._depth, skipped):
            try:
                paths = listed(folder)
            except CatalogueError as error:
                self._fail(folder, str(error))
                continue
            if self._depth > 1 and first.setdefault(folder.name, folder) != folder:
                other = shown(first[folder.name].relative_to(self.folder))
                self._fail(folder, f"the folder {other} has the product's name too: rename one")
                continue
            for path in paths:
                if path.is_dir():
                    self._fail(path, "a folder inside a product's folder is not read")
                elif is_image_name(path.name):
                    image_id = path.relative_to(self.folder).as_posix()
                    yield from self._image(path, image_id, folder.name)
                else:
                    _count(skipped, path)
        self._note_skipped(skipped)

    def _folders(self, folder: Path, depth: int, skipped: Counter[str]) -> Iterator[Path]:
        for path in listed(folder):
            if not path.is_dir():
                _count(skipped, path)
            elif depth == 1:
                yield path
            else:
                try:
                    yield from self._folders(path, depth - 1, skipped)
                except CatalogueError as error:
                    self._fail(path, str(error))


def _numbered(names: Iterable[str]) -> list[str]:
    """The names that differ only by a number, counted from 1."""
    numbers = dict[str, dict[int, str]]()
    for name in names:
        match = NUMBERED.fullmatch(name)
        if match is not None:
            numbers.setdefault(match["name"], {})[int(match["number"] or match["copy"])] = name
    return [
        name
        for alike in numbers.values()
        if len(alike) >= MIN_GROUP and max(alike) <= len(alike)
        for name in sorted(alike.values())
    ]


def _count(skipped: Counter[str], path: Path) -> None:
    """Count a file that is no image, unless it is one of the catalogue's tables."""
    if not RESERVED.fullmatch(path.name):
        skipped[path.suffix.lower() or path.name] += 1


def listed(folder: Path) -> list[Path]:
    """The entries of a folder, sorted by name, without hidden and system files.

    Raises:
        CatalogueError: it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not (path.name[0] == "." or path.name.casefold() in JUNK))
    except OSError as error:
        raise CatalogueError(f"cannot list the folder {shown(folder)}: {error.strerror or error}") from error
