"""Import OpenVINO quickly and without telemetry."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """Import the package ``openvino`` without its converter from other frameworks.

    The converter takes longer to import than all the rest, sends telemetry at every import, and writes a file in the
    user's home for that; it is not needed here. OpenVINO works without it where it cannot be imported. A program that
    uses ``openvino.convert_model`` still gets it, imported at that time.
    """
    if "openvino" not in sys.modules and CONVERTER not in sys.modules:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]  # makes its import fail
        try:
            import openvino
        finally:
            del sys.modules[CONVERTER]
        openvino.__getattr__ = _converter
    import openvino

    return openvino


def _converter(name: str) -> Any:
    """The missing attribute of ``openvino``, imported at first use."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    return import_module(CONVERTER).convert_model
