"""Write the sample: images, photos and tables, into a folder that is either complete or absent."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from image_similarity import __version__
from image_similarity.errors import UsageError
from image_similarity.images import simulated_photo
from image_similarity.types import Progress, no_progress
from image_similarity.util.files import replacing_folder
from image_similarity_demo import shots
from image_similarity_demo.families import FAMILIES
from image_similarity_demo.look import Family
from image_similarity_demo.stock import Article, chance, number, stock

MARKER = ".image-similarity-sample"
CONTENTS = {MARKER, "images", "photos", "products.csv", "images.csv", "photos.csv"}
SEED = 2019
QUALITY = 87
PHOTOS_PER_FAMILY = 3


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """The folder of a sample, and how many products, images and photos it has."""

    folder: Path
    products: int
    images: int
    photos: int


def draw_sample(
    folder: Path, *, seed: int = SEED, progress: Progress = no_progress, families: Sequence[Family] = FAMILIES
) -> SampleSummary:
    """Draw the catalogue of an imaginary sports shop into ``folder``; the same seed gives the same bytes.

    A sample of this version and seed that is whole is left as it is; another one is replaced; an empty folder is used.

    Raises:
        UsageError: ``folder`` contains other files; it is unchanged.
        OutputError: the folder cannot be written.
    """
    _refuse_unless_ours(folder.resolve())
    if (earlier := _drawn(folder, seed)) is not None:
        return earlier
    articles = stock(seed, families)
    with replacing_folder(folder) as temporary:
        (temporary / "images").mkdir()
        (temporary / "photos").mkdir()
        (temporary / MARKER).write_text(_mark(seed), encoding="utf-8")
        subjects = _subjects(seed, articles)
        images: list[tuple[str, str, str]] = []
        pool = ThreadPoolExecutor(os.cpu_count())  # Pillow releases the interpreter's lock while it resamples
        try:
            drawn = pool.map(
                lambda article: _draw(seed, article, temporary, subjects.get(article.product_id)), articles
            )
            for done, (article, shots_taken) in enumerate(zip(articles, drawn, strict=True)):
                progress("draw", done, len(articles))
                images += [(article.product_id, name, shot) for name, shot in shots_taken]
        finally:
            pool.shutdown(cancel_futures=True)  # a person who stops it does not wait for what is not drawn yet
        answers = [(name, product_id) for product_id, name in subjects.items()]
        _write_tables(temporary, articles, images, answers)
    progress("draw", len(articles), len(articles))
    return SampleSummary(folder, len(articles), len(images), len(answers))


def _drawn(folder: Path, seed: int) -> SampleSummary | None:
    """The sample in ``folder``; None unless this version drew it with this seed and no image is missing."""
    try:
        if (folder / MARKER).read_text(encoding="utf-8") != _mark(seed):
            return None
        products, images, photos = (read_table(folder / f"{table}.csv") for table in ("products", "images", "photos"))
        files = [folder / "images" / row["image"] for row in images]
        files += [folder / "photos" / row["photo"] for row in photos]
    except (OSError, UnicodeError, KeyError, csv.Error):  # whatever is wrong with it, it is drawn again
        return None
    return SampleSummary(folder, len(products), len(images), len(photos)) if all(map(Path.is_file, files)) else None


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of one of the sample's tables."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _mark(seed: int) -> str:
    return f"Drawn by image-similarity {__version__}. Seed: {seed}\n"


def _draw(seed: int, article: Article, folder: Path, photo: str | None) -> list[tuple[str, str]]:
    """Draw one product's images and, if ``photo`` is given, a photo of it. Returns the images' names and shots."""
    board = article.family.draw(article.look, "front").image
    piece = shots.cut_out(board)
    names = []
    for place, (shot, image) in enumerate(_shots(seed, article, board, piece), start=1):
        name = f"{article.product_id}_{place}.jpg"
        image.save(folder / "images" / name, quality=QUALITY)
        names.append((name, shot))
    if photo is not None:
        alone = shots.turned(piece, article.family.lean).convert("RGBA")
        taken = simulated_photo(alone, number(seed, "photo", article.product_id))
        taken.save(folder / "photos" / photo, quality=QUALITY)
    return names


def _shots(seed: int, article: Article, board: Image.Image, piece: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """The two to four images of one product: its front, an angle, perhaps a close-up, perhaps on coloured paper."""
    draw = chance(seed, "shots", article.product_id)
    family, frame = article.family, shots.SQUARE
    if draw.random() < 0.15:
        frame = shots.LANDSCAPE if board.width > board.height else shots.PORTRAIT
    yield "front", shots.front(piece, family, frame)
    back = family.has_back and (family.depth < 1 or draw.random() < 0.5)
    view = shots.cut_out(family.draw(article.look, "back").image) if back else piece
    yield ("back" if back else "angle"), shots.angle(view, family, shots.SQUARE, draw, mirrored=not family.has_back)
    if draw.random() < 0.75:
        yield "detail", shots.detail(board, family, draw)
    if draw.random() < 0.35:
        yield "styled", shots.styled(piece, family, article.look.palette, draw)


def _subjects(seed: int, articles: Sequence[Article]) -> dict[str, str]:
    """Which products customers photographed: product id to the photo's name."""
    draw = chance(seed, "photos")
    chosen: list[str] = []
    for family in dict.fromkeys(article.family.name for article in articles):
        ids = [article.product_id for article in articles if article.family.name == family]
        chosen += draw.sample(ids, min(PHOTOS_PER_FAMILY, len(ids)))
    draw.shuffle(chosen)  # so that a photo's number does not reveal its product
    return {product_id: f"photo{i:02d}.jpg" for i, product_id in enumerate(chosen, start=1)}


def _write_tables(
    folder: Path, articles: Sequence[Article], images: Iterable[tuple[str, ...]], answers: Iterable[tuple[str, ...]]
) -> None:
    rows = [(a.product_id, a.title, a.description, a.family.department, a.look.palette.name, a.price) for a in articles]
    _write(folder / "products.csv", ("product_id", "title", "description", "department", "colour", "price"), rows)
    _write(folder / "images.csv", ("product_id", "image", "shot"), images)
    _write(folder / "photos.csv", ("photo", "product_id"), sorted(answers))


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def _refuse_unless_ours(folder: Path) -> None:
    """Only an empty folder or an earlier sample may be replaced: other files are never removed."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file. Name a folder for the sample")
    names = {entry.name for entry in folder.iterdir()}
    unknown = sorted(names - CONTENTS)
    if names and MARKER not in names:
        raise UsageError(f"{folder} is not empty and not a sample. Name a new folder, or empty this one")
    if unknown:
        raise UsageError(f"{folder} is a sample, but {unknown[0]} in it is not part of it. Move it away first")
