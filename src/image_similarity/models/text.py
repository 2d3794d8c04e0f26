"""Text encoders: from texts to unit vectors in the space of the model's image vectors.

The tokeniser is the one that the network was trained with (``tokenizers``). Every text is padded or cut to the same
number of tokens, because some of these networks were trained and exported that way.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import ModelError, UsageError
from image_similarity.models.graph import Graph
from image_similarity.models.hub import folder_with
from image_similarity.models.hub_records import WITH_TEXT
from image_similarity.models.openvino_network import configuration, first_line, with_one_output
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.models.unit_vectors import unit_length

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.models.hub_records import TextSpec
    from image_similarity.models.model import Model
    from image_similarity.settings import Settings
    from image_similarity.types import ModelSpec, TextModel

INPUTS = ("input_ids", "attention_mask")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
INSTALL = "searching by words needs tokenizers: pip install 'image-similarity[text]'"


def text_specs_of(model: Model) -> tuple[TextSpec | None, ...]:
    """The text encoder of each part of a model; None for a part that has none.

    Raises:
        UsageError: no part has one, and the message names the models that have one.
    """
    specs = tuple(part.definition.text for part in model.parts)
    if not any(specs):
        *others, last = WITH_TEXT
        raise UsageError(f"{model.name} has no text encoder: fit the dataset with {', '.join(others)} or {last}")
    return specs


def load_text_model(model: Model, settings: Settings) -> TextModel:
    """Load a model's text encoders; their files are checked against the lock.

    Raises:
        UsageError: as :func:`text_specs_of`.
        WeightsError: one was not pulled, or a file is missing or altered.
        ModelError: one cannot be compiled, or ``tokenizers`` is not installed.
    """
    encoders = [
        None if text is None else _load(spec, text, settings)
        for spec, text in zip(model.specs, text_specs_of(model), strict=True)
    ]
    (first, *others) = encoders
    return MixtureTextModel(model, encoders) if others or first is None else first


def _load(spec: ModelSpec, text: TextSpec, settings: Settings) -> OpenVinoTextModel:
    folder = folder_with(spec.name, settings)
    network, tokenizer = (folder.verified(spec.name, file.path, file.sha256) for file in (text.file, text.tokenizer))
    return OpenVinoTextModel(spec, text, network, tokenizer)


class MixtureTextModel:
    """The :class:`~image_similarity.types.TextModel` of a mixture: a text is compared with the parts that read it."""

    def __init__(self, model: Model, encoders: Sequence[TextModel | None]) -> None:
        """``encoders``: of each part; None for a part that reads no text."""
        self._recipe, self._encoders = model.recipe, encoders
        self._dimensions = [spec.dimension for spec in model.specs]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to ``(n, dimension)``: an image's score is its cosine in the parts that read text, by their shares."""
        features = [None if encoder is None else encoder.embed(texts) for encoder in self._encoders]
        return self._recipe.of_some(features, self._dimensions)


class OpenVinoTextModel:
    """A :class:`~image_similarity.types.TextModel` over an ONNX file and a ``tokenizer.json``."""

    def __init__(self, spec: ModelSpec, text: TextSpec, network: Path, tokenizer: Path) -> None:
        self.spec, self._text = spec, text
        self._tokenizer = _tokenizer(tokenizer, text)
        self._compiled = _compile(spec, text, network)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to unit vectors ``(n, dimension)``. Texts that are too long are cut."""
        vectors = np.empty((len(texts), self.spec.dimension), np.float32)
        request = self._compiled.create_infer_request()
        for row, text in enumerate(texts):
            request.infer(self._inputs(self.tokens(text)))
            vectors[row] = request.get_output_tensor(0).data.reshape(-1)
        return unit_length(vectors, self.spec.name)

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text before padding; the last one is the end token."""
        text = _as_trained(text, self._text)
        ids: list[int] = self._tokenizer.encode(text).ids[: self._text.length]
        return ids if ids and ids[-1] == self._text.end else [*ids[: self._text.length - 1], self._text.end]

    def _inputs(self, tokens: list[int]) -> dict[int, NDArray[Any]]:
        padding = self._text.length - len(tokens)
        values = {"input_ids": tokens + [self._text.pad] * padding, "attention_mask": [1] * len(tokens) + [0] * padding}
        return {
            number: np.array([values[_name_of(entry)]], entry.get_element_type().to_dtype())
            for number, entry in enumerate(self._compiled.inputs)
        }


def _as_trained(text: str, spec: TextSpec) -> str:
    """A text in the form of those that the network was trained with."""
    text = text.lower() if spec.lower_case else text
    return text if spec.punctuation else " ".join(text.replace("_", " ").translate(NO_PUNCTUATION).split())


def _tokenizer(path: Path, text: TextSpec) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ModelError(INSTALL) from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception
        raise ModelError(f"{path} is no tokeniser: {first_line(error)}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(text.length)
    return tokenizer


def _name_of(entry: Any) -> str:
    """An input's name in the file; OpenVINO may add other names once shapes are fixed."""
    names = entry.get_names()
    return next((name for name in INPUTS if name in names), entry.any_name)


def _compile(spec: ModelSpec, text: TextSpec, path: Path) -> Any:
    core = import_openvino().Core()
    try:
        model = core.read_model(path)
        names = {_name_of(entry) for entry in model.inputs}
        if not names <= set(INPUTS):
            raise ModelError(f"{path} takes {sorted(names)}: only {' and '.join(INPUTS)} are supported")
        model.reshape({entry: [1, text.length] for entry in model.inputs})
        graph = Graph(path, "", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), output=text.output)
        compiled = core.compile_model(with_one_output(model, graph), "CPU", configuration(spec, "LATENCY"))
    except RuntimeError as error:
        raise ModelError(f"{path} cannot be loaded as text encoder of {spec.name}: {first_line(error)}") from error
    shape = compiled.output(0).get_partial_shape()
    if shape.is_dynamic or int(np.prod(shape.to_shape())) != spec.dimension:
        raise ModelError(f"{path} gives numbers of shape {shape} a text, {spec.name} has {spec.dimension} an image")
    return compiled
