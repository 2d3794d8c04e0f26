"""OpenVINO, brought in quickly and quietly."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """The package ``openvino``, without its converter from other frameworks.

    The converter takes longer to import than all the rest, tells its makers over the network of every import, and
    leaves a file in the user's home for that; we never convert. OpenVINO goes on without it where it cannot be
    imported. A program that asks for ``openvino.convert_model`` gets it, imported then.
    """
    if "openvino" not in sys.modules and CONVERTER not in sys.modules:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]  # Python's own way to say: not to be had
        try:
            import openvino
        finally:
            del sys.modules[CONVERTER]
        openvino.__getattr__ = _converter
    import openvino

    return openvino


def _converter(name: str) -> Any:
    """What ``openvino`` lacks as long as nobody asks for it."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    return import_module(CONVERTER).convert_model
