"""The protocols by name: what is asked, in the words of commands, tables and pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way of asking. ``needs_network``: its queries are photos that have to be embedded first."""

    name: str
    title: str
    about: str
    asked: str
    """What asks, in the plural."""
    needs_network: bool = False


LEAVE_ONE_OUT = Protocol(
    "leave-one-out",
    "Leave one image out",
    "Each image is a query against all other images; the other images of its product are right.",
    "images",
)
LEAVE_ATTRIBUTE_OUT = Protocol(
    "leave-attribute-out",
    "Leave one image out, own {attribute} left out",
    "The same, but only against images, of any product, with another {attribute} than the query's.",
    "images",
)
SIMULATED = Protocol(
    "simulated",
    "Simulated photos",
    "A catalogue image, made into a photo (background, perspective, light, blur), is the query; all images of its "
    "product are right. The image itself is left out, unless its product has no other.",
    "photos",
    needs_network=True,
)
PHOTOS = Protocol(
    "photos",
    "Labelled photos",
    "Each photo is a query against all images; all images of its product are right.",
    "photos",
    needs_network=True,
)
PICKS = Protocol(
    "picks",
    "Picks",
    "Each product, with all its images, is a query against the other products; the ones in the labels are right.",
    "products",
)
PROTOCOLS = {each.name: each for each in (LEAVE_ONE_OUT, LEAVE_ATTRIBUTE_OUT, SIMULATED, PHOTOS, PICKS)}
"""In the order of results. The first that could be asked is the one that counts where none is named."""
