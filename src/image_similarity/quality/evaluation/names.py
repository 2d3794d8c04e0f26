"""The protocols by name, with their titles and descriptions for commands, tables and pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to make queries with known answers."""

    name: str
    title: str
    description: str


LEAVE_ONE_OUT = Protocol(
    "leave-one-out",
    "Leave one image out",
    "Each image is a query against all other images; the other images of its product are right.",
)
LEAVE_ATTRIBUTE_OUT = Protocol(
    "leave-attribute-out",
    "Leave one image out, own {attribute} left out",
    "The same, but only against images, of any product, with another {attribute} than the query's.",
)
SIMULATED = Protocol(
    "simulated",
    "Simulated photos",
    "A catalogue image, made into a photo (background, perspective, light, blur), is the query; all images of its "
    "product are right. The image itself is left out, unless its product has no other.",
)
PHOTOS = Protocol(
    "photos",
    "Labelled photos",
    "Each photo is a query against all images; all images of its product are right.",
)
PICKS = Protocol(
    "picks",
    "Picks",
    "Each product, with all its images, is a query against the other products; the ones in the labels are right.",
)
PROTOCOLS = {each.name: each for each in (LEAVE_ONE_OUT, LEAVE_ATTRIBUTE_OUT, SIMULATED, PHOTOS, PICKS)}
"""In the order of results. The first one that can be measured counts where no protocol is named."""
