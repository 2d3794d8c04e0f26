"""Export a timm network to an ONNX file, once, by PyTorch in a process of its own; later runs need neither.

The export includes timm's preprocessing of the network. The file is run once and compared with the network itself: one
with different results is not kept.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from image_similarity.errors import ModelError
from image_similarity.util.files import replacing
from image_similarity.util.own_process import OwnProcessError, in_own_process, run_module

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NEEDED = ("torch", "timm", "onnx", "onnxscript")
INSTALL = "needs PyTorch and timm, once: pip install 'image-similarity[torch]'"
SEED = 20
LEAST_COSINE = 0.9999


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export, and timm's preprocessing; ``mean`` and ``std`` are of RGB in 0..1."""

    dimension: int
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    crop_pct: float
    crop_mode: str
    licence: str
    made_by: str


class Exporter(Protocol):
    """Exports graphs from weights: this module, which needs PyTorch and timm, or a replacement in tests."""

    def check_installed(self, name: str) -> None:
        """Check the packages needed, before anything is downloaded."""
        ...

    def export(self, architecture: str, weights: Path, target: Path, whole: bool) -> Exported:
        """Write a network as ONNX."""
        ...


def check_installed(name: str) -> None:
    """Check the packages needed, before anything is downloaded.

    Raises:
        ModelError: PyTorch, timm or a package for the export is not installed; the message says how to install.
    """
    if any(find_spec(package) is None for package in NEEDED):
        raise ModelError(f"{name} {INSTALL}")


def export(architecture: str, weights: Path, target: Path, whole: bool) -> Exported:
    """Write a network as ONNX, with one image ``(1, 3, size, size)`` as input.

    Args:
        architecture: timm's name of the network, with or without its tag.
        weights: its ``.safetensors``.
        target: the file to write.
        whole: with its last layer, as contrastive networks need; else without the classifier.

    Raises:
        ModelError: a package is missing, timm has no such network, the weights do not fit, or the export fails.
        OutputError: the file cannot be written.
    """
    check_installed(architecture)
    with replacing(target) as temporary:
        arguments = [architecture, str(weights), str(temporary), "whole" if whole else "bare"]
        try:
            return Exported(**json.loads(run_module(__name__, arguments)))
        except OwnProcessError as error:
            raise ModelError(f"{architecture} cannot be exported from {weights}: {error}") from error


def write_graph(network: Any, config: dict[str, Any], target: Path) -> Exported:
    """Export a PyTorch module and compare the file with it. Imports PyTorch.

    Args:
        network: the module; takes ``(1, 3, size, size)``, gives ``(1, dimension)``.
        config: the result of ``timm.data.resolve_data_config``, and ``license``.
        target: the file to write.
    """
    import numpy as np
    import openvino
    import torch

    size = int(config["input_size"][-1])
    network = network.eval()
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(SEED))
    with torch.no_grad():
        expected = network(image).numpy().ravel()
        names = {"input_names": ["pixel_values"], "output_names": ["features"]}
        torch.onnx.export(network, (image,), str(target), external_data=False, **names)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(target)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    actual = compiled(image.numpy())[0].ravel()
    cosine = float(actual @ expected / (np.linalg.norm(actual) * np.linalg.norm(expected)))
    if not cosine >= LEAST_COSINE:
        raise ValueError(f"the exported file gives other numbers than the network: cosine {cosine:.4f}")
    mean, std = (tuple(float(value) for value in config[name]) for name in ("mean", "std"))
    return Exported(
        dimension=len(expected),
        size=size,
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        interpolation=str(config["interpolation"]),
        crop_pct=float(config["crop_pct"]),
        crop_mode=str(config["crop_mode"]),
        licence=str(config.get("license") or ""),
        made_by=f"torch {torch.__version__}",
    )


def _work(arguments: Sequence[str], _: Callable[[str], None]) -> str:
    import timm
    from timm.data import resolve_data_config

    architecture, weights, target, kind = arguments
    more = {} if kind == "whole" else {"num_classes": 0}
    network = timm.create_model(architecture, pretrained=True, pretrained_cfg_overlay={"file": weights}, **more)
    config = {**resolve_data_config({}, model=network), "license": network.pretrained_cfg.get("license")}
    exported = write_graph(network, config, Path(target))
    return json.dumps(asdict(exported) | {"made_by": f"timm {timm.__version__}, {exported.made_by}"})


if __name__ == "__main__":
    sys.exit(in_own_process(_work))
