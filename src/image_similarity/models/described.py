"""A user's own model: an ONNX, TFLite or OpenVINO file with a small TOML description beside it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from image_similarity.errors import ModelError, UsageError
from image_similarity.models.definition import Definition
from image_similarity.models.network_files import NotAGraphError, companions, digest
from image_similarity.types import InputSpec, Interpolation, ModelSpec, Resize
from image_similarity.util.files import is_file, open_file

if TYPE_CHECKING:
    from image_similarity.models.graph import Graph
    from image_similarity.options import ModelChoice
    from image_similarity.types import Progress

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
FORMATS = {".onnx": "onnx", ".tflite": "tflite", ".xml": "openvino"}
LAYOUTS = ("NCHW", "NHWC")
RESIZES = ("stretch", "pad", "crop")
INTERPOLATIONS = ("nearest", "box", "bilinear", "bicubic", "lanczos")
KINDS = {str: "text", bool: "true or false", int: "a whole number from 1 to 65536", list: "a list of three numbers"}
BYTE = 255.0
MAX_BYTES = 1_000_000  # of a description


@dataclass(frozen=True, slots=True)
class Description:
    """The checked content of a ``.toml`` file. ``mean`` and ``std`` are of RGB scaled to 0..1."""

    name: str
    described_in: Path
    file: Path
    sha256: str
    dimension: int
    input_size: int
    resize: str
    interpolation: str
    layout: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    output: str | None
    licence: str
    commercial_use: bool
    source: str
    shorter_side: int = 0
    any_size: bool = False
    others: tuple[tuple[str, str], ...] = ()
    """Further files with its weights, and their SHA-256."""

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits over all that determines a vector: another file or mean is another model."""
        deciding = asdict(self)
        for label in ("described_in", "file", "licence", "commercial_use", "source"):
            del deciding[label]
        if not self.shorter_side:  # descriptions from before this field keep their keys
            del deciding["shorter_side"]
        if not self.any_size:
            del deciding["any_size"]
        if not self.others:
            del deciding["others"]
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def spec(self) -> ModelSpec:
        """The model's record, at fp32."""
        return ModelSpec(
            name=self.name,
            key=f"{self.name}@{self.fingerprint}",
            dimension=self.dimension,
            input=InputSpec(
                self.input_size,
                cast("Resize", self.resize),
                cast("Interpolation", self.interpolation),
                self.shorter_side,
            ),
            preprocessing=f"RGB 0..1, mean {list(self.mean)}, std {list(self.std)}, {self.layout}",
            weights=", ".join(
                f"{name} sha256:{sha256}" for name, sha256 in ((self.file.name, self.sha256), *self.others)
            ),
            licence=self.licence,
            precision="fp32",
            commercial_use=self.commercial_use,
        )


def definition(choice: ModelChoice) -> Definition:
    """The model of a description, which is read only here.

    Raises:
        UsageError, ModelError: as :func:`read_description`.
    """
    described = read_description(choice)

    def load(_: Progress) -> Graph:
        return graph_of(described)

    return Definition(described.spec, load)


def read_description(choice: ModelChoice) -> Description:
    """Read and check a model's description.

    Raises:
        UsageError: a digest is given with the choice.
        ModelError: the file is missing or no TOML, or a field is missing or invalid; the message says what is allowed.
    """
    path = Path(choice.name)
    if choice.weights_digest is not None:
        raise UsageError(f"{path} states its own digest: leave `weights_digest` out")
    try:
        with open_file(path) as file:
            fields = tomllib.loads(file.read(MAX_BYTES).decode())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}. `model` takes the path of a model's .toml") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, a number of thousands of digits
        raise ModelError(f"{path} is not TOML: {error}") from error
    return _Fields(path, fields).description(choice.weights)


def graph_of(described: Description) -> Graph:
    """The graph of a description; its file is checked against the description's digest.

    Raises:
        ModelError: the file is missing or altered.
    """
    from image_similarity.models.graph import Graph

    actual = _sha256(described.file)
    if actual != described.sha256:
        raise ModelError(
            f"{described.file} is not the file that {described.described_in} describes: sha256 {actual}, "
            f"expected {described.sha256}"
        )
    try:
        others = companions(described.file)
    except NotAGraphError as error:
        raise ModelError(f"{described.file} cannot be loaded as {described.name}: {error}") from error
    if others != dict(described.others):
        raise ModelError(f"the weights beside {described.file} have just changed: run this again")
    mean, std = ([BYTE * value for value in values] for values in (described.mean, described.std))
    return Graph(
        path=described.file,
        layout=described.layout,
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        output=described.output,
        any_size=described.any_size,
    )


class _Fields:
    """The fields of a description, removed as they are read: those that are left at the end are misspelt."""

    def __init__(self, path: Path, fields: dict[str, Any]) -> None:
        self.path = path
        self.fields = dict(fields)

    def description(self, weights: Path | None) -> Description:
        file = weights or self.path.parent / self.take("file", str)
        self.fields.pop("file", None)
        self.one_of("format", tuple(FORMATS.values()), FORMATS.get(file.suffix.lower(), ""))
        name = self.take("name", str)
        if not NAME.fullmatch(name):
            raise self.wrong("name", name, "letters, digits and . _ + -, at most 64")
        stated = self.take("sha256", str, "")
        described = Description(
            name=name,
            described_in=self.path,
            file=file,
            sha256=stated.lower() or _sha256(file),
            dimension=self.positive("dimension"),
            input_size=self.positive("input_size"),
            resize=self.one_of("resize", RESIZES, "pad"),
            interpolation=self.one_of("interpolation", INTERPOLATIONS, "bicubic"),
            layout=self.one_of("layout", LAYOUTS, "NCHW"),
            mean=self.triple("mean", 0.0),
            std=self.triple("std", 1.0),
            output=self.take("output", str, "") or None,
            licence=self.take("licence", str),
            commercial_use=self.take("commercial_use", bool, True),
            source=self.take("source", str, ""),
            shorter_side=self.positive("shorter_side") if "shorter_side" in self.fields else 0,
            any_size=self.take("any_size", bool, False),
            others=_others(file),
        )
        if described.shorter_side and (described.resize != "crop" or described.shorter_side < described.input_size):
            raise self.wrong("shorter_side", described.shorter_side, 'at least input_size, with resize = "crop"')
        if self.fields:
            raise ModelError(f"{self.path}: no such field: {', '.join(sorted(self.fields))}")
        return described

    def take(self, field: str, kind: type, default: Any = None) -> Any:
        value = self.fields.pop(field, default)
        if value is None:
            raise ModelError(f"{self.path}: the field {field} is missing")
        if not isinstance(value, kind):
            raise self.wrong(field, value, KINDS[kind])
        return value

    def positive(self, field: str) -> int:
        value: int = self.take(field, int)
        if isinstance(value, bool) or not 1 <= value <= 65_536:
            raise self.wrong(field, value, "a whole number from 1 to 65536")
        return value

    def one_of(self, field: str, known: tuple[str, ...], default: str) -> str:
        value: str = self.take(field, str, default)
        if value not in known:
            raise self.wrong(field, value, " or ".join(known))
        return value

    def triple(self, field: str, default: float) -> tuple[float, float, float]:
        values = self.take(field, list, [default] * 3)
        if len(values) != 3 or not all(_is_number(value) for value in values) or (field == "std" and 0 in values):
            raise self.wrong(field, values, "three numbers, for red, green and blue (a std is not 0)")
        red, green, blue = (float(value) for value in values)
        return red, green, blue

    def wrong(self, field: str, value: object, allowed: str) -> ModelError:
        return ModelError(f"{self.path}: {field} = {value!r} must be {allowed}")


def _others(file: Path) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(companions(file).items()) if is_file(file) else ()
    except NotAGraphError:
        return ()  # loading it raises the error


def _is_number(value: object) -> bool:
    """Whether it is a number of ordinary size: TOML has ``nan``, ``inf`` and arbitrarily large integers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _sha256(file: Path) -> str:
    try:
        return digest(file)
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror or error}. It is the network that the description names") from error
