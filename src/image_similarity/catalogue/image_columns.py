"""Which columns hold images: ``image``, ``image_2``, ``additional_image_link``, ``Image URLs (x,y,z...)``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# The first that a table has is its main column; general names (an `url` may be a product's page) stand last.
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
"""What a column's name has in it that is likely to hold images."""
GALLERIES = ("gallery", "mediagallery", "galleryurls", "gallerylinks", "moreviews")


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """The columns of images, as the table spells them: those that are read, and those that stand in for them."""

    main: str | None = None
    further: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    """Read in rows where the others are empty."""


def image_columns(names: Sequence[tuple[str, str]]) -> ImageColumns:
    """Find them among the columns of a header: each as it compares, in lower case without signs, and as it is."""
    main = _main(names)
    if main is None:
        return ImageColumns()
    there = [(key, name, NAME.fullmatch(key)) for key, name in names if name != main[1]]
    family = _family(*main)
    further = [
        name
        for key, name, match in there
        if key in GALLERIES or (match and match["more"]) or _family(key, name) == family
    ]
    instead = [name for _, name, match in there if match and match["form"] != "name" and name not in further]
    return ImageColumns(main[1], tuple(further), tuple(instead))


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
    """What columns have in common that differ by a number or by being the plural."""
    match = NAME.fullmatch(key)
    if match is None:
        return (re.sub(r"s?\d{0,3}$", "", key),)
    return (match["more"], match["which"], match["word"].rstrip("s"), match["form"])
