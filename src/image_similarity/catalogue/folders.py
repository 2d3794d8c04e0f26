"""Folders as catalogues: the first version's naming, or one folder a product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from image_similarity.catalogue.names import is_image_name, product_of
from image_similarity.catalogue.tables import ProductTable
from image_similarity.errors import CatalogueError
from image_similarity.types import CatalogueImage, Failure, Product


class FolderSource:
    """Images of one folder, in the order of their names.

    ``failures`` holds what the last iteration found but could not take: a name that is not text, a name without a
    product, a folder where images were expected.
    """

    def __init__(self, folder: Path, products: ProductTable | None = None) -> None:
        self.folder = folder
        self.failures: list[Failure] = []
        self._products = products

    @property
    def product_failures(self) -> list[Failure]:
        """The rows of the product table that the last :meth:`products` could not use."""
        return [] if self._products is None else self._products.failures

    def __iter__(self) -> Iterator[CatalogueImage]:
        self.failures = []
        return self._images()

    def products(self) -> Iterator[Product]:
        """The products of the separate table; none without one, since a folder knows no titles."""
        yield from self._products or ()

    def _images(self) -> Iterator[CatalogueImage]:
        """The images of a flat folder: ``{product}_{anything}.jpg``."""
        for path in listed(self.folder):
            if path.is_dir():
                self._refuse(path, "a folder among the images of a flat folder is not read")
            elif is_image_name(path.name):
                yield from self._image(path, path.name, product_of(path.name))

    def _image(self, path: Path, image_id: str, product_id: str) -> Iterator[CatalogueImage]:
        if not is_text(str(path)):
            self._refuse(path, "the file's name is not UTF-8")
        elif not product_id.strip():
            self._refuse(path, "the file's name has no product before its first _")
        else:
            yield CatalogueImage(image_id, product_id, str(path))

    def _refuse(self, path: Path, reason: str) -> None:
        place = shown(path)
        self.failures.append(Failure("list", reason, "", shown(path.relative_to(self.folder)), place))


class ProductFolders(FolderSource):
    """Images of a folder of folders, one a product: image ids are ``folder/file``. One folder's names are held."""

    def _images(self) -> Iterator[CatalogueImage]:
        for folder in listed(self.folder):
            if not folder.is_dir():
                continue
            try:
                paths = listed(folder)
            except CatalogueError as error:
                self._refuse(folder, str(error))
                continue
            for path in paths:
                if path.is_dir():
                    self._refuse(path, "a folder inside a product's folder is not read")
                elif is_image_name(path.name):
                    yield from self._image(path, f"{folder.name}/{path.name}", folder.name)


def listed(folder: Path) -> list[Path]:
    """What a folder holds, hidden names left out, in the order of the names.

    Raises:
        CatalogueError: it cannot be looked into.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise CatalogueError(f"cannot look into the folder {shown(folder)}: {error.strerror or error}") from error


def is_text(name: str) -> bool:
    """Whether a file's name is text, and not bytes that Python had to smuggle through."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(path: Path) -> str:
    """A path that can be printed and stored, whatever bytes its name is made of."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")
