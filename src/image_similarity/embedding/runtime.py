"""OpenVINO, brought in quickly and quietly."""

from __future__ import annotations

import sys
from typing import Any

CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """The package ``openvino``, without its converter from other frameworks.

    The converter takes longer to import than all the rest, tells its makers over the network of every import, and
    leaves a file in the user's home for that; we never convert. OpenVINO goes on without it where it cannot be
    imported. A program that wants ``openvino.convert_model`` imports OpenVINO before it loads a model of ours, or takes
    it from ``openvino.tools.ovc``.
    """
    if "openvino" not in sys.modules and CONVERTER not in sys.modules:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]  # Python's own way to say: not to be had
        try:
            import openvino
        finally:
            del sys.modules[CONVERTER]
    import openvino

    return openvino
