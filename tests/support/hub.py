"""A hub of models on this machine, and networks of the same form as the real ones to put on it.

The networks see colours: a picture's vector is made of the mean colours of its sixteen fields, a word's of its colour,
so that words find pictures and everything can be computed by another runtime.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from image_similarity.models import hub as hub_models, hub_records, inventory as table
from image_similarity.models.hub_records import RECORDS, HubFile, HubRecord, TextSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIELDS = 4
COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250), "orange": (250, 90, 0)}
WORDS = {word: number for number, word in enumerate(COLOURS, start=3)}
SPECIAL = 7  # every token from here on says nothing


class HubServer:
    """The few addresses of a hub that a pull asks. ``files``: (repository, path) to content."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], bytes] = {}
        self.commits = {"main": COMMIT, COMMIT: COMMIT}
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.short_by = 0  # bytes that every download lacks
        self.former: dict[str, str] = {}  # names of repositories that have others now
        self.elsewhere = False  # files are kept under another address, which can give a rest of them
        self.breaks: list[int] = []  # after so many bytes a download breaks off, one after the other
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def downloads(self) -> list[str]:
        """The paths that were downloaded."""
        return [path for method, path in self.asked if method == "GET"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            hub.asked.append((self.command, self.path))
            hub.headers.append(dict(self.headers.items()))
            owner, name, kind, revision, path = (*self.path.lstrip("/").split("/", 4), "", "", "")[:5]
            if f"{owner}/{name}" in hub.former:
                self.send_on(self.path.replace(f"/{owner}/{name}/", f"/{hub.former[f'{owner}/{name}']}/"))
                return
            known = {repo for repo, _ in hub.files}
            if kind not in ("resolve", "kept") or f"{owner}/{name}" not in known:
                self.refuse("RepoNotFound")
            elif revision not in hub.commits:
                self.refuse("RevisionNotFound")
            elif (content := hub.files.get((f"{owner}/{name}", path))) is None:
                self.refuse("EntryNotFound")
            elif hub.elsewhere and kind == "resolve":
                size = {"X-Repo-Commit": hub.commits[revision], "X-Linked-Size": str(len(content))}
                self.send_on(f"{hub.address}/{owner}/{name}/kept/{revision}/{path}", **size)
            elif kind == "kept":
                self.give_rest(content)
            else:
                sent = content[: len(content) - hub.short_by] if body else content
                self.send_response(200)
                self.send_header("X-Repo-Commit", hub.commits[revision])
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                if body:
                    self.wfile.write(sent)

        def send_on(self, address: str, **headers: str) -> None:
            self.send_response(307)
            for name, value in ({"Location": address, "Content-Length": "0"} | headers).items():
                self.send_header(name, value)
            self.end_headers()

        def give_rest(self, content: bytes) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if hub.breaks:
                self.wfile.write(content[start : start + hub.breaks.pop(0)])
                self.close_connection = True
            else:
                self.wfile.write(content[start:])

        def refuse(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """A hub on a free port of this machine."""
    server = HubServer()
    try:
        yield server
    finally:
        server.close()


# Networks ----------------------------------------------------------------------------------------------------------


def vision_network(record: HubRecord) -> bytes:
    """An ONNX file that takes and gives what a record's real one does: open sizes, the same names."""
    pool = record.input.size // FIELDS
    nodes = [
        helper.make_node("AveragePool", ["pixel_values"], ["fields"], kernel_shape=[pool, pool], strides=[pool, pool]),
        helper.make_node("Reshape", ["fields", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "matrix"], ["vector"]),
    ]
    constants = {"flat": np.array([0, -1]), "matrix": _matrix(record)}
    name = record.output or "output"
    outputs: dict[str, list[Any]] = {name: ["batch", record.dimension]}
    if record.first_token:  # the picture's token, then one that is another's
        constants |= {"one": np.array([1])}
        nodes += [
            helper.make_node("Unsqueeze", ["vector", "one"], ["token"]),
            helper.make_node("Neg", ["token"], ["other"]),
            helper.make_node("Concat", ["token", "other"], [name], axis=1),
        ]
        outputs = {name: ["batch", 2, record.dimension]}
    elif name == "pooler_output":  # the one that is wanted comes second
        nodes += [
            helper.make_node("Neg", ["vector"], ["last_hidden_state"]),
            helper.make_node("Identity", ["vector"], [name]),
        ]
        outputs = {"last_hidden_state": ["batch", record.dimension], **outputs}
    else:
        nodes.append(helper.make_node("Identity", ["vector"], [name]))
    inputs: dict[str, tuple[int, list[Any]]] = {
        "pixel_values": (TensorProto.FLOAT, ["batch", "channels", "height", "width"])
    }
    return _network(nodes, inputs, outputs, constants)


def text_network(record: HubRecord, side: TextSpec, *, with_mask: bool) -> bytes:
    """The other side: the sum of the colours that the words name."""
    nodes = [
        helper.make_node("Min", ["input_ids", "special"], ["known"]),
        helper.make_node("Gather", ["words", "known"], ["each"]),
    ]
    inputs: dict[str, tuple[int, list[Any]]] = {"input_ids": (TensorProto.INT64, ["batch", "sequence"])}
    constants = {"special": np.array(SPECIAL), "words": _word_table(record), "axis": np.array([1])}
    if with_mask:
        inputs["attention_mask"] = (TensorProto.INT64, ["batch", "sequence"])
        constants |= {"last": np.array([2])}
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["weights"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["weights", "last"], ["column"]),
            helper.make_node("Mul", ["each", "column"], ["counted"]),
        ]
    nodes.append(helper.make_node("ReduceSum", ["counted" if with_mask else "each", "axis"], [side.output], keepdims=0))
    return _network(nodes, inputs, {side.output: ["batch", record.dimension]}, constants)


def tokenizer(side: TextSpec) -> bytes:
    """A ``tokenizer.json`` of seven words; like the real ones it may leave padding and the end to the program."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = {"<pad>": side.pad, "<end>": side.end, "<unknown>": 2, **WORDS}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if not side.lower_case:
        made.normalizer = normalizers.Lowercase()
    return str(made.to_str()).encode()


def _matrix(record: HubRecord) -> NDArray[np.float32]:
    """(3 * 16, dimension): what each channel of each field adds; the same in every field, but for a little."""
    generator = np.random.default_rng(11)
    channels = generator.normal(size=(3, 1, record.dimension))
    fields = channels + 0.2 * generator.normal(size=(3, FIELDS**2, record.dimension))
    return (fields.reshape(3 * FIELDS**2, record.dimension) / FIELDS**2).astype(np.float32)


def _word_table(record: HubRecord) -> NDArray[np.float32]:
    """(8, dimension): for a colour's name the vector of a picture of that colour."""
    words = np.zeros((SPECIAL + 1, record.dimension), np.float32)
    for word, number in WORDS.items():
        seen = (np.array(COLOURS[word]) / 255 - np.array(record.mean)) / np.array(record.std)
        words[number] = np.repeat(seen, FIELDS**2).astype(np.float32) @ _matrix(record)
    return words


def _network(
    nodes: list[NodeProto],
    inputs: dict[str, tuple[int, list[Any]]],
    outputs: dict[str, list[Any]],
    constants: dict[str, NDArray[Any]],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "fabricated",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


# Records -----------------------------------------------------------------------------------------------------------


def fabricate(monkeypatch: pytest.MonkeyPatch, hub: HubServer, name: str, *, known: bool = True) -> HubRecord:
    """Put a model of a record's form on the hub, and in the record's place one that names its files.

    Args:
        monkeypatch: takes it all back.
        hub: the server.
        name: the record to imitate.
        known: whether the record has their digests, as most do, or learns them at the first pull.
    """
    record = replace(RECORDS[name], revision=COMMIT if known else hub_records.NEWEST, exported_from="")
    contents = {record.file.path: vision_network(record)}
    file = _named(record.file, contents[record.file.path], known)
    side = record.text
    if side is not None:
        contents[side.file.path] = text_network(record, side, with_mask=side.punctuation)
        contents[side.tokenizer.path] = tokenizer(side)
        network, words = (_named(each, contents[each.path], known) for each in (side.file, side.tokenizer))
        side = replace(side, file=network, tokenizer=words)
    record = replace(record, file=file, text=side)
    hub.files |= {(record.repo, path): content for path, content in contents.items()}
    put_record(monkeypatch, record)
    return record


def put_record(monkeypatch: pytest.MonkeyPatch, record: HubRecord) -> None:
    """Put a record in the place of the one of its name while a test runs."""
    for module in (hub_models, table):
        assert module.RECORDS is RECORDS
    monkeypatch.setitem(RECORDS, record.name, record)


def _named(file: HubFile, content: bytes, known: bool) -> HubFile:
    return HubFile(file.path, len(content), hashlib.sha256(content).hexdigest() if known else "")


def lock_of(folder: Path) -> dict[str, Any]:
    """A lock as anybody can read it."""
    content: dict[str, Any] = json.loads((folder / "models.lock").read_text(encoding="utf-8"))
    return content
