"""Clean up image addresses from tables, and strip the temporary signatures from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from image_similarity.types import Failure

if TYPE_CHECKING:
    from image_similarity.types import CatalogueImage, Stage

AMPERSAND = re.compile(r"&(?:(?:amp|#0*38|#x0*26);)+", re.IGNORECASE)
"""`&` as escaped in HTML, possibly several times."""
SCHEME_LESS = re.compile(r"//(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#\\@]+)(?::\d*)?(?:[/?#]|$)")
DATA = "data:"
PASSWORD = re.compile(r"(?<=//)[^/?#]*@")
MAX_SHOWN = 100  # characters of a data: address


@dataclass(frozen=True, slots=True)
class Signing:
    """A scheme of signed addresses: present if all ``markers`` are, and then ``names`` are temporary parameters."""

    markers: frozenset[str]
    names: frozenset[str] = frozenset()
    prefix: str = "\0"
    """Prefix of further temporary parameters; by default none has it."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Parameters that select the image stay: versionId, x-oss-process (a size), response-content-type.
SIGNINGS = (
    Signing(_words("x-amz-signature"), prefix="x-amz-"),  # S3, version 4, and compatible services
    Signing(_words("x-goog-signature"), prefix="x-goog-"),  # Google Cloud Storage, version 4
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
    *(  # Azure: a shared access signature, with or without a stored policy
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
    """Strip surrounding blanks, and replace `&amp;` copied from a page by `&`."""
    return AMPERSAND.sub("&", address.strip())


def parse_address(text: str) -> str | None:
    """The address in a cell; None where the text is not an address.

    Besides ``http://`` and ``https://`` in any case, ``//host/...`` without a scheme, and ``data:image/``, which
    contains the image itself.
    """
    scheme, divider, rest = text.partition("://")
    if divider and scheme.lower() in ("http", "https"):
        return clean_address(f"{scheme.lower()}://{rest}")
    if SCHEME_LESS.match(text):
        return clean_address(text)
    return f"{DATA}{text[len(DATA) :]}" if text[: len(DATA)].lower() == DATA else None


def stable_address(address: str) -> str:
    """An address without its fragment and temporary signature; two with the same result are the same image."""
    if address.startswith(DATA):
        return address
    before, mark, query = address.partition("#")[0].partition("?")
    if not mark:
        return before
    parts = query.split("&")
    names = [unquote_plus(part.partition("=")[0]).lower() for part in parts]
    present = set(names)
    signed = [signing for signing in SIGNINGS if signing.markers <= present]
    kept = [
        part
        for part, name in zip(parts, names, strict=True)
        if not any(name in signing.names or name.startswith(signing.prefix) for signing in signed)
    ]
    return f"{before}?{'&'.join(kept)}" if kept else before


def showable(location: str) -> str:
    """A location for display: without password and signature; a ``data:`` address is shortened."""
    if location.startswith(DATA):
        return location if len(location) <= MAX_SHOWN else f"{location[:MAX_SHOWN]}..."
    return location if parse_address(location) is None else PASSWORD.sub("***@", stable_address(location))


def failure_of(image: CatalogueImage, stage: Stage, reason: str) -> Failure:
    """The :class:`Failure` record of an image, with its location fit for display."""
    return Failure(stage, reason, image.product_id, image.image_id, showable(image.location))
