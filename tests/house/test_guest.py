"""The library is a guest in the program that uses it, and leaves everything there as it was."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from image_similarity.models.hub_records import RECORDS
from tests.conftest import paint
from tests.support.hub import HubServer
from tests.support.tiny_networks import describe, mean_network

HOST = """
import csv, gc, locale, logging, os, random, signal, socket, sys, threading, warnings
import httpx
import numpy as np
from PIL import Image, ImageFile

Image.MAX_IMAGE_PIXELS = 600_000  # of this program's own pictures
logging.getLogger("httpx").setLevel(logging.DEBUG)
if sys.argv[2] == "before":
    import openvino
    openvino.convert_model

def loggers():
    known = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    return {each.name: (each.level, list(each.handlers), each.propagate, each.disabled) for each in known}

def always():
    return {
        "environment": set(os.environ.items()),
        "working folder": os.getcwd(),
        "filters of warnings": list(warnings.filters),
        "how warnings are shown": (warnings.showwarning, warnings.formatwarning),
        "loggers": (logging.root.level, list(logging.root.handlers), logging.raiseExceptions),
        "loggers that are silent": logging.root.manager.disable,
        "largest picture": Image.MAX_IMAGE_PIXELS,
        "pictures cut short": ImageFile.LOAD_TRUNCATED_IMAGES,
        "HEIC in Pillow": "HEIF" in Image.OPEN,
        "converter": sys.argv[2] == "later" or openvino.convert_model.__module__,
        "signals": [signal.getsignal(each) for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}],
        "time-out of sockets": socket.getdefaulttimeout(),
        "arithmetic": np.geterr(),
        "longest cell": csv.field_size_limit(),
        "depth": sys.getrecursionlimit(),
        "switches": sys.getswitchinterval(),
        "garbage": gc.get_threshold(),
        "exceptions": (sys.excepthook, sys.unraisablehook, threading.excepthook),
        "streams": (sys.stdout, sys.stderr),
        "path": list(sys.path),
        "language": locale.setlocale(locale.LC_ALL),
    }

def at_rest():
    umask = os.umask(0o22)
    os.umask(umask)
    return always() | {
        "umask": umask,
        "chance": (random.getstate(), np.random.get_state()[1].tolist()),
        "threads": {each.name for each in threading.enumerate()},
    }

def compare(before, after):
    assert before.keys() == after.keys()
    for name in before:
        changed = before[name] ^ after[name] if isinstance(before[name], set) else (before[name], after[name])
        assert before[name] == after[name], (name, changed)

class Beside(threading.Thread):
    "What else the program does meanwhile."
    def __init__(self):
        super().__init__()
        self.wrong, self.looks, self.ended = [], 0, threading.Event()
    def run(self):
        before = always()
        while not self.wrong and not self.ended.wait(0.0005):
            self.looks += 1
            try:
                compare(before, always())
            except AssertionError as error:
                self.wrong.append(error)

known = loggers()
before = at_rest()
beside = Beside()
beside.start()
try:
    from image_similarity import Workspace
    from image_similarity.settings import Settings
    shop = Workspace(settings=Settings(hub_address=sys.argv[1]))
    report = shop.fit("shop", "pictures", model="colour-shape")
    assert report.counts.failed == 0, report.failures
    shop.use("shop", "colour-shape")
    shop.search("shop", "pictures/red_1.tif")
    shop.similar("shop", "red")
    shop.evaluate("shop")
    shop.fit("shop", "pictures", model="tiny.toml")  # a network
    shop.search("shop", "pictures/red_1.tif", model="tiny.toml")
    with shop.open("shop", "tiny.toml") as held:
        held.search("pictures/blue_1.png")
        held.put("new", images=["pictures/red_1.tif"])
        held.similar("new")
        held.remove("new")
    shop.pull_models("SigLIP2-B-384")  # one without known digests
    shop.models()
    shop.verify_models()
finally:
    beside.ended.set()
    beside.join()
assert not beside.wrong, beside.wrong
assert beside.looks > 20, beside.looks
compare(before, at_rest())
compare(known, {name: state for name, state in loggers().items() if name in known})
import openvino.tools.ovc
assert openvino.convert_model is openvino.tools.ovc.convert_model
"""


@pytest.mark.parametrize("openvino", ["before", "later"])
def test_a_program_that_uses_it_is_as_it_was(openvino: str, tmp_path: Path, hub: HubServer) -> None:
    """``openvino``: when the program imports it, before this library or after."""
    describe(mean_network(tmp_path / "tiny.onnx"))
    record = RECORDS["SigLIP2-B-384"]
    hub.files |= {(record.repo, file.path): b"a network" for file in record.files}
    for name in ("red", "blue", "green"):
        for number in (1, 2):
            colour = {"red": (250, 0, 0), "blue": (0, 0, 250), "green": (0, 250, 0)}[name]
            paint(tmp_path / "pictures" / f"{name}_{number}.png", colour, spot=number)
    _odd_tiff(tmp_path / "pictures" / "red_1.png")
    environment = os.environ | {"CI": "true"}  # OpenVINO's converter tells its makers nothing
    script = [sys.executable, "-W", "error", "-c", HOST, hub.address, openvino]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def _odd_tiff(path: Path) -> None:
    """The same picture, larger than the program's own may be, with a tag that Pillow warns of."""
    with Image.open(path) as picture:
        picture.resize((1000, 1000)).save(path.with_suffix(".tif"), tiffinfo={254: 0})
    path.unlink()
    data = bytearray(path.with_suffix(".tif").read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    assert struct.unpack_from("<HHI", data, first + 2) == (254, 4, 1)
    struct.pack_into("<I", data, first + 6, 2)
    path.with_suffix(".tif").write_bytes(data)
