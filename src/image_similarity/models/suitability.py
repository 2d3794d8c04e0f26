"""What each model of the table is good for, and what it costs: the help to choose one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suitability:
    """A few words on a model.

    Attributes:
        good_for: what to take it for.
        work: billions of multiplications for one image, from its architecture; 0 for a model that is no network.
    """

    good_for: str = ""
    work: float = 0.0


SUITABILITY = {
    "VGG": Suitability("results as the first version's", 17.7),
    "Inception_Resnet": Suitability("results as the first version's", 13.2),
    "EfficientNet-Lite0": Suitability("things of all kinds, with the least work", 0.8),
    "EfficientNet-Lite2": Suitability("things of all kinds, with little work", 1.2),
    "colour-shape": Suitability("a first look, without any download"),
    "colour": Suitability("colours, in a mixture with a network"),
    "Marqo-FashionSigLIP": Suitability("clothes, shoes, bags; words in English", 17.0),
    "Marqo-Ecommerce-B": Suitability("products of all kinds", 17.0),
    "SigLIP2-B-384": Suitability("small details; words in many languages", 49.9),
    "SigLIP2-B-224": Suitability("products of all kinds; words in many languages", 17.0),
    "UNICOM-B32": Suitability("the same product in another photo, with little work", 4.4),
    "DINOv2-S": Suitability("shapes and textures; the smallest to pull", 5.5),
}
"""By the names of the table (``registry.MODELS``)."""
