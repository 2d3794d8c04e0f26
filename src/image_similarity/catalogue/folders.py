"""Folders as catalogues: the first version's naming, or one folder a product."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from image_similarity.catalogue.names import RESERVED, is_image_name, is_text, product_of, shown, shown_text
from image_similarity.catalogue.product_join import Described
from image_similarity.catalogue.tables import ProductTable
from image_similarity.errors import CatalogueError
from image_similarity.types import CatalogueImage, Failure

CAMERA = re.compile(
    r"img|image|_?dsc|dsc[nf]|dcim|pxl|mvimg|pic|photo|picture|foto|scan|screenshot|"
    r"(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d",
    re.IGNORECASE,
)
"""What cameras, telephones and scanners begin the names of all their images with."""
NUMBERED = re.compile(r"(?P<name>.*[^\W\d].*?)(?:[ -](?P<number>\d{1,2})| ?\((?P<copy>\d{1,2})\))")
"""A name as people number the images of one thing: ``shoe-1``, ``shoe 2``, ``shoe (3)``."""
SEVERAL = 2
JUNK = frozenset(
    ("__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini")
)
"""What systems leave in folders of their own accord."""


class FolderSource(Described):
    """Images of one folder, in the order of their names.

    ``failures`` holds what the last iteration found but could not take: a name that is not text, a name without a
    product, a folder where images were expected.
    """

    def __init__(self, folder: Path, products: ProductTable | None = None) -> None:
        super().__init__(products)
        self.folder = folder

    def check(self) -> None:
        """As every source's; and whether the names seem to be a camera's."""
        images = Counter(image.product_id for image in self)
        super().check()
        if type(self) is not FolderSource:
            return  # whoever made a folder for each product has said what the products are
        numbered = _numbered(images) if self.product_table is None else []
        if 2 * len(numbered) >= len(images) > 1:
            self.note(
                f"{len(numbered)} of {len(images)} products have names numbered like the images of one product, "
                f"{', '.join(map(repr, numbered[:2]))} for two: what stands before the _ of a file's name is the "
                "product. If they belong together, list the images in a table: product_id,image"
            )
            return
        for product_id, count in images.items():
            if count >= SEVERAL and (CAMERA.fullmatch(product_id) or len(images) == 1):
                self.note(
                    f"{count} images are taken for one product, {product_id!r}: what stands before the _ of a file's "
                    "name is the product. If it is not, list the images in a table: product_id,image"
                )
                return

    def _images(self) -> Iterator[CatalogueImage]:
        """The images of a flat folder: ``{product}_{anything}.jpg``."""
        left_out = Counter[str]()
        for path in listed(self.folder):
            if path.is_dir():
                self._refuse(path, "a folder among the images of a flat folder is not read")
            elif is_image_name(path.name):
                yield from self._image(path, path.name, product_of(path.name))
            else:
                _count(left_out, path)
        self._tell(left_out)

    def _image(self, path: Path, image_id: str, product_id: str) -> Iterator[CatalogueImage]:
        if not is_text(str(path)):
            self._refuse(path, "the file's name is not UTF-8")
        elif not product_id.strip():
            self._refuse(path, "the file's name has no product before its first _")
        else:
            yield CatalogueImage(image_id, product_id, str(path))

    def _tell(self, left_out: Counter[str]) -> None:
        """Say which files were not looked at."""
        if left_out:
            endings = ", ".join(sorted(left_out))
            self.note(
                f"{left_out.total()} files are not images by their extension and were skipped: {shown_text(endings)}"
            )

    def _refuse(self, path: Path, reason: str) -> None:
        place = shown(path)
        self.failures.append(Failure("list", reason, "", shown(path.relative_to(self.folder)), place))


class ProductFolders(FolderSource):
    """Images of a folder of folders, one a product: image ids are ``folder/file``. One folder's names are held.

    ``depth`` 2: the products' folders lie in folders of their own, as in ``shoes/p1/1.jpg``.
    """

    def __init__(self, folder: Path, products: ProductTable | None = None, depth: int = 1) -> None:
        super().__init__(folder, products)
        self._depth = depth

    def _images(self) -> Iterator[CatalogueImage]:
        left_out = Counter[str]()
        first: dict[str, Path] = {}  # of deep folders alone: whose name it is
        for folder in self._folders(self.folder, self._depth, left_out):
            try:
                paths = listed(folder)
            except CatalogueError as error:
                self._refuse(folder, str(error))
                continue
            if self._depth > 1 and first.setdefault(folder.name, folder) != folder:
                other = shown(first[folder.name].relative_to(self.folder))
                self._refuse(folder, f"the folder {other} has the product's name too: rename one")
                continue
            for path in paths:
                if path.is_dir():
                    self._refuse(path, "a folder inside a product's folder is not read")
                elif is_image_name(path.name):
                    image_id = path.relative_to(self.folder).as_posix()
                    yield from self._image(path, image_id, folder.name)
                else:
                    _count(left_out, path)
        self._tell(left_out)

    def _folders(self, folder: Path, depth: int, left_out: Counter[str]) -> Iterator[Path]:
        for path in listed(folder):
            if not path.is_dir():
                _count(left_out, path)
            elif depth == 1:
                yield path
            else:
                try:
                    yield from self._folders(path, depth - 1, left_out)
                except CatalogueError as error:
                    self._refuse(path, str(error))


def _numbered(names: Iterable[str]) -> list[str]:
    """The names that differ by a number from 1 on alone."""
    numbers = dict[str, dict[int, str]]()
    for name in names:
        match = NUMBERED.fullmatch(name)
        if match is not None:
            numbers.setdefault(match["name"], {})[int(match["number"] or match["copy"])] = name
    return [
        name
        for alike in numbers.values()
        if len(alike) >= SEVERAL and max(alike) <= len(alike)
        for name in sorted(alike.values())
    ]


def _count(left_out: Counter[str], path: Path) -> None:
    """Count a file that is no image, unless it is a catalogue's table."""
    if not RESERVED.fullmatch(path.name):
        left_out[path.suffix.lower() or path.name] += 1


def listed(folder: Path) -> list[Path]:
    """What a folder holds, hidden names and systems' own left out, in the order of the names.

    Raises:
        CatalogueError: it cannot be looked into.
    """
    try:
        return sorted(path for path in folder.iterdir() if not (path.name[0] == "." or path.name.casefold() in JUNK))
    except OSError as error:
        raise CatalogueError(f"cannot list the folder {shown(folder)}: {error.strerror or error}") from error
