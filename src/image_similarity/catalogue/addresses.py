"""Addresses as people write them into tables, and what of an address says which image it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from image_similarity.types import Failure

if TYPE_CHECKING:
    from image_similarity.types import CatalogueImage, Stage

AMPERSAND = re.compile(r"&(?:(?:amp|#0*38|#x0*26);)+", re.IGNORECASE)
"""How `&` is written in the source of a page; written anew at every copy, it piles up."""
SCHEME_LESS = re.compile(r"//(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#\\@]+)(?::\d*)?(?:[/?#]|$)")
DATA = "data:"
PASSWORD = re.compile(r"(?<=//)[^/?#]*@")
LONGEST_SHOWN = 100  # characters of an image that is its own address


@dataclass(frozen=True, slots=True)
class Signing:
    """One way to sign an address for a while: it is used where all ``marks`` are, and then ``names`` come and go."""

    marks: frozenset[str]
    names: frozenset[str] = frozenset()
    beginning: str = "\0"
    """Of further names that come and go; of none unless it is said."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What decides the image itself stays: versionId, x-oss-process (a size), response-content-type.
SIGNINGS = (
    Signing(_words("x-amz-signature"), beginning="x-amz-"),  # S3, version 4, and all that speak it
    Signing(_words("x-goog-signature"), beginning="x-goog-"),  # Google Cloud Storage, version 4
    Signing(  # Aliyun, version 4
        _words("x-oss-signature"),
        _words(
            "x-oss-signature x-oss-signature-version x-oss-credential x-oss-date x-oss-expires x-oss-security-token "
            "x-oss-additional-headers"
        ),
    ),
    *(  # S3 version 2, Google version 2, CloudFront, Aliyun, Huawei
        Signing(
            frozenset(("signature", also)),
            _words(
                "signature expires policy key-pair-id hash-algorithm awsaccesskeyid googleaccessid ossaccesskeyid "
                "accesskeyid security-token x-amz-security-token x-obs-security-token"
            ),
        )
        for also in ("expires", "policy", "key-pair-id")
    ),
    *(  # Azure: a shared access signature, by itself or by a policy that is stored there
        Signing(
            frozenset(("sig", also)),
            _words("sig se st sv sr sp spr sip si ss srt sdd ses skoid sktid skt ske sks skv saoid suoid scid"),
        )
        for also in ("se", "si", "sv")
    ),
    Signing(  # Tencent
        _words("q-signature"),
        _words(
            "q-signature q-sign-algorithm q-ak q-sign-time q-key-time q-header-list q-url-param-list "
            "x-cos-security-token"
        ),
    ),
)


def clean_address(address: str) -> str:
    """An address as it was meant: without blanks around it, and with `&` where `&amp;` was copied from a page."""
    return AMPERSAND.sub("&", address.strip())


def parse_address(text: str) -> str | None:
    """What is written in a cell as an address to fetch; None where it is none.

    Beside ``http://`` and ``https://`` in any case: ``//host/...``, as pages leave the scheme out, and ``data:image/``,
    which holds the image itself.
    """
    scheme, divider, rest = text.partition("://")
    if divider and scheme.lower() in ("http", "https"):
        return clean_address(f"{scheme.lower()}://{rest}")
    if SCHEME_LESS.match(text):
        return clean_address(text)
    return f"{DATA}{text[len(DATA) :]}" if text[: len(DATA)].lower() == DATA else None


def stable_address(address: str) -> str:
    """What stays of an address: neither a signature, which is another one tomorrow, nor what follows a ``#``.

    Two addresses of which the same stays are the same image.
    """
    if address.startswith(DATA):
        return address
    before, mark, query = address.partition("#")[0].partition("?")
    if not mark:
        return before
    parts = query.split("&")
    names = [unquote_plus(part.partition("=")[0]).lower() for part in parts]
    there = set(names)
    signed = [signing for signing in SIGNINGS if signing.marks <= there]
    kept = [
        part
        for part, name in zip(parts, names, strict=True)
        if not any(name in signing.names or name.startswith(signing.beginning) for signing in signed)
    ]
    return f"{before}?{'&'.join(kept)}" if kept else before


def showable(location: str) -> str:
    """Where an image is, as it may be shown: without password and signature; of an image in letters, the beginning."""
    if location.startswith(DATA):
        return location if len(location) <= LONGEST_SHOWN else f"{location[:LONGEST_SHOWN]}..."
    return location if parse_address(location) is None else PASSWORD.sub("***@", stable_address(location))


def failure_of(image: CatalogueImage, stage: Stage, reason: str) -> Failure:
    """What is told of an image that could not be used."""
    return Failure(stage, reason, image.product_id, image.image_id, showable(image.location))
