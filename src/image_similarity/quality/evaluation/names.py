"""The protocols by name: what is asked, in the words of commands, tables and pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way of asking. ``needs_network``: its questions are photos that have to be embedded first."""

    name: str
    title: str
    about: str
    asked: str
    """What asks, in the plural."""
    needs_network: bool = False


LEAVE_ONE_OUT = Protocol(
    "leave-one-out",
    "Leave one image out",
    "Each image asks among all other images; the other images of its own product are right.",
    "images",
)
LEAVE_ATTRIBUTE_OUT = Protocol(
    "leave-attribute-out",
    "Leave one image out, own {attribute} left out",
    "The same among the images, of any product, whose {attribute} is another than the asking image's.",
    "images",
)
SIMULATED = Protocol(
    "simulated",
    "Simulated photos",
    "A catalogue image, made into a photo (background, perspective, light, blur), asks; all images of its product "
    "are right. The image itself is left out, unless its product has no other.",
    "photos",
    needs_network=True,
)
PHOTOS = Protocol(
    "photos",
    "Labelled photos",
    "Each photo asks among all images; all images of its product are right.",
    "photos",
    needs_network=True,
)
PICKS = Protocol(
    "picks",
    "Picks",
    "Each product asks with all of its images among the other products; those that somebody has picked are right.",
    "products",
)
PROTOCOLS = {each.name: each for each in (LEAVE_ONE_OUT, LEAVE_ATTRIBUTE_OUT, SIMULATED, PHOTOS, PICKS)}
"""In the order of results. The first that could be asked is the one that counts where none is named."""
