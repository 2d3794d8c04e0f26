"""Detect the image columns of a table: ``image``, ``image_2``, ``additional_image_link``, ``Image URLs (x,y,z...)``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# The first one that a table has is its main column; ambiguous names (an `url` may be a product's page) come last.
IMAGE = [
    *("image", "images", "image_path", "image_paths", "path", "paths", "image_file", "file", "filename", "file_name"),
    *("image_url", "image_urls", "image_link", "image_links", "image_address", "image_location", "image_src"),
    *("main_image", "main_image_url", "primary_image", "primary_image_url", "default_image", "featured_image"),
    *("photo", "photos", "picture", "pictures", "pic_url", "picture_url", "picture_urls", "photo_url", "photo_urls"),
    *("cover_media_url", "bild", "bilder", "bild_url", "foto", "fotos"),
    *("img", "img_url", "src", "image_name", "location", "url", "urls", "address", "addresses"),
]
NAME = re.compile(
    r"(?P<more>(?:additional|other|extra|more|further|gallery|variant|secondary|alternate|alternative|detail|back|side)?)"
    r"(?P<which>(?:main|primary|default|base|featured|cover|front|first|full|large|original|product|item|media|hosted)*)"
    r"(?P<word>images?|imgs?|photos?|pictures?|pics?)"
    r"(?P<number>\d{0,3})(?P<form>(?:path|filename|file|name|url|uri|link|address|location|src|source|href)?)s?"
    r"(?P<behind>\d{0,3})"
)
IMAGE_WORDS = re.compile(r"image|img|photo|foto|picture|thumb|swatch|vignette|bild")
"""Words in the names of columns that probably contain images."""
GALLERIES = ("gallery", "mediagallery", "galleryurls", "gallerylinks", "moreviews")


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """The image columns, as spelled in the table: those that are read, and their fallbacks."""

    main: str | None = None
    additional: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    """Fallbacks, read in rows where the others are empty."""


def image_columns(names: Sequence[tuple[str, str]]) -> ImageColumns:
    """Find the image columns of a header, given as pairs of normalised key and original name."""
    main = _main(names)
    if main is None:
        return ImageColumns()
    candidates = [(key, name, NAME.fullmatch(key)) for key, name in names if name != main[1]]
    family = _family(*main)
    additional = [
        name
        for key, name, match in candidates
        if key in GALLERIES or (match and match["more"]) or _family(key, name) == family
    ]
    fallbacks = [name for _, name, match in candidates if match and match["form"] != "name" and name not in additional]
    return ImageColumns(main[1], tuple(additional), tuple(fallbacks))


def _main(names: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    known: dict[str, tuple[str, str]] = {}
    for key, name in names:
        known.setdefault(key, (key, name))
    listed = next((known[key] for key in (name.replace("_", "") for name in IMAGE) if key in known), None)
    if listed is not None:
        return listed
    numbered = [(key, name) for key, name in names if re.sub(r"\d+$", "", key) in ("path", "file", "url")]
    matched = [(key, name, match) for key, name in names if (match := NAME.fullmatch(key))]
    first = next(((key, name) for key, name, match in matched if not match["more"]), None)
    behind = next(((key, name) for key, name, _ in matched), None)
    return first or behind or next(iter(numbered), None)


def _family(key: str, _: str) -> tuple[str, ...]:
    """A key shared by columns that differ only by a number or a plural."""
    match = NAME.fullmatch(key)
    if match is None:
        return (re.sub(r"s?\d{0,3}$", "", key),)
    return (match["more"], match["which"], match["word"].rstrip("s"), match["form"])
