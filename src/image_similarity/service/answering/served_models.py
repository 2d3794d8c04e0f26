"""The models served at one moment; the first is the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.service.answering.served_model import ServedModel
    from image_similarity.types import ModelSpec


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The models that one request uses from start to end. Immutable: a switch makes a new one."""

    models: tuple[ServedModel, ...]

    def model(self, name: str | None) -> ServedModel:
        """The model of a name; None: the default.

        Raises:
            UsageError: no model has this name.
        """
        for model in self.models:
            if name in (None, model.name):
                return model
        known = ", ".join(model.name for model in self.models)
        raise UsageError(f"there is no model {name!r} here: use {known}")

    @property
    def specs(self) -> list[ModelSpec]:
        """The specs of all models that embed a new image, each once."""
        specs = {spec.key: spec for model in self.models for spec in model.collection.model.specs}
        return list(specs.values())

    @property
    def views(self) -> tuple[str, ...]:
        """The views of a new image: those of the model that uses the most."""
        return max((model.state.views for model in self.models), key=len)

    def embed_views(self, pixels: Mapping[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Embed an image's views ``(views, size, size, 3)`` with every model; both by the model's key."""
        vectors: dict[str, NDArray[np.float32]] = {}
        for model in self.models:
            keys = (spec.key for spec in model.collection.model.specs)
            vectors.update(model.collection.embed_views({key: pixels[key] for key in keys if key not in vectors}))
        return vectors
