"""The real architectures with random weights, exported with open sizes as the hub's files are, beside PyTorch.

Skipped where PyTorch is not installed. Two layers of each are enough: what is in question is the way in and out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.models.graph import Graph
from image_similarity.models.hub_records import RECORDS, WITH_TEXT, HubRecord, Triple
from image_similarity.models.openvino_network import OpenVinoModel
from image_similarity.models.text import OpenVinoTextModel
from image_similarity.types import ModelSpec
from tests.support.hub import tokenizer

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
LAYERS = 2
SIDES = {0: "batch", 1: "num_channels", 2: "height", 3: "width"}


def vision(name: str) -> tuple[Any, dict[str, str]]:
    """A network of the kind of a record's, and the outputs that its file has, by their names in PyTorch."""
    import transformers as t

    wide = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": LAYERS}
    if name == "DINOv2-S":
        config = t.Dinov2Config(hidden_size=384, num_attention_heads=6, num_hidden_layers=LAYERS, image_size=518)
        return t.Dinov2Model(config), {"last_hidden_state": "last_hidden_state", "pooler_output": "pooler_output"}
    config = t.SiglipVisionConfig(image_size=RECORDS[name].input.size, **wide)
    pooled = str(RECORDS[name].output)
    return t.SiglipVisionModel(config), {"last_hidden_state": "last_hidden_state", "pooler_output": pooled}


def text(name: str) -> tuple[Any, dict[str, str]]:
    """The same of the side that takes words."""
    import transformers as t

    side = RECORDS[name].text
    assert side is not None
    wide = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
    config = t.SiglipTextConfig(num_hidden_layers=LAYERS, vocab_size=1000, bos_token_id=2, eos_token_id=1, **wide)
    return t.SiglipTextModel(config), {"pooler_output": side.output}


def exported(network: Any, outputs: dict[str, str], given: Any, entry: str, sides: dict[int, str], file: Path) -> Any:
    """Write a network's file; gives a function from its input to its outputs by name."""
    import torch

    class Wrapped(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network.eval()

        def forward(self, given: Any) -> Any:
            found = self.network(given, return_dict=True)
            return tuple(found[name] for name in outputs)

    named = list(outputs.values())
    axes = {entry: sides, **{name: {0: "batch"} for name in named}}
    names = {"input_names": [entry], "output_names": named, "dynamic_axes": axes}
    wrapped = Wrapped()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the way of exporting that the hub's files were made in is an old one
        torch.onnx.export(wrapped, (given,), str(file), opset_version=17, dynamo=False, **names)

    def ask(numbers: NDArray[Any], output: str) -> NDArray[np.float32]:
        with torch.no_grad():
            found: NDArray[np.float32] = wrapped(torch.from_numpy(numbers))[named.index(output)].numpy()
        return found

    return ask


def spec_of(record: HubRecord) -> ModelSpec:
    return ModelSpec(record.name, record.name, record.dimension, record.input, "", "", "", "fp32")


def least_cosine(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    return float(((ours * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)).min())


@pytest.mark.parametrize("name", ["DINOv2-S", "SigLIP2-B-384", "Marqo-FashionSigLIP"])
def test_pictures_go_through_the_real_architecture_as_pytorch_takes_them(name: str, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    record, file = RECORDS[name], tmp_path / "model.onnx"
    size = record.input.size
    ask: Callable[..., NDArray[np.float32]] = exported(
        *vision(name), torch.zeros(1, 3, size, size), "pixel_values", SIDES, file
    )
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    scaled = ((pixels / 255 - record.mean) / record.std).transpose(0, 3, 1, 2).astype(np.float32)
    theirs = ask(scaled, record.output)
    theirs = theirs[:, 0] if record.first_token else theirs
    mean, std = (tuple(255 * value for value in values) for values in (record.mean, record.std))
    graph = Graph(file, "NCHW", _three(mean), _three(std), output=record.output, first_token=record.first_token)
    assert least_cosine(OpenVinoModel(spec_of(record), graph).embed(pixels), theirs) > 0.99999


@pytest.mark.parametrize("name", WITH_TEXT)
def test_words_go_through_the_real_architecture_as_pytorch_takes_them(name: str, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    record, file, words = RECORDS[name], tmp_path / "text.onnx", tmp_path / "tokenizer.json"
    side = record.text
    assert side is not None
    given = torch.full((1, side.length), side.pad)
    ask = exported(*text(name), given, "input_ids", {0: "batch", 1: "sequence_length"}, file)
    words.write_bytes(tokenizer(side))
    model = OpenVinoTextModel(spec_of(record), side, file, words)
    tokens = model.tokens("a red ball, green")
    padded = np.array([[*tokens, *[side.pad] * (side.length - len(tokens))]])
    assert least_cosine(model.embed(["a red ball, green"]), ask(padded, side.output)) > 0.99999


def _three(values: tuple[float, ...]) -> Triple:
    return values[0], values[1], values[2]
