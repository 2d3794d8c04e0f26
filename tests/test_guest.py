"""The library is a guest in the program that uses it, and leaves everything there as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import paint

HOST = """
import csv, gc, logging, os, random, signal, sys, warnings
import numpy as np
from PIL import Image

def state():
    return {
        "environment": dict(os.environ),
        "working folder": os.getcwd(),
        "filters of warnings": list(warnings.filters),
        "how warnings are shown": warnings.showwarning,
        "loggers": (logging.root.level, list(logging.root.handlers), logging.raiseExceptions),
        "largest picture": Image.MAX_IMAGE_PIXELS,
        "HEIC in Pillow": "HEIF" in Image.OPEN,
        "signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "chance": (random.getstate(), np.random.get_state()[1].tolist()),
        "arithmetic": np.geterr(),
        "longest cell": csv.field_size_limit(),
        "depth": sys.getrecursionlimit(),
        "threads": sys.getswitchinterval(),
        "garbage": gc.get_threshold(),
        "exceptions": (sys.excepthook, sys.unraisablehook),
        "streams": (sys.stdout, sys.stderr),
    }

before = state()
from image_similarity import Workspace
shop = Workspace("data")
shop.fit("shop", "pictures", model="colour-shape")
shop.use("shop", "colour-shape")
shop.search("shop", "pictures/red_1.png")
shop.similar("shop", "red")
shop.evaluate("shop")
after = state()
assert before.keys() == after.keys()
for name in before:
    assert before[name] == after[name], (name, before[name], after[name])
import openvino
assert callable(openvino.convert_model)
"""


def test_a_program_that_uses_it_is_as_it_was(tmp_path: Path) -> None:
    for name in ("red", "blue", "green"):
        for number in (1, 2):
            colour = {"red": (250, 0, 0), "blue": (0, 0, 250), "green": (0, 250, 0)}[name]
            paint(tmp_path / "pictures" / f"{name}_{number}.png", colour, spot=number)
    environment = os.environ | {"CI": "true"}  # OpenVINO's converter tells its makers nothing
    script = [sys.executable, "-W", "error", "-c", HOST]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
