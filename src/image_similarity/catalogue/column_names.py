"""Column mappings given by the user, for tables with unknown column names: ``image=Photo``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from image_similarity.errors import UsageError
from image_similarity.util.files import read_file

ROLES = ("product", "image", "image_id", "title", "description")
ALIASES = {"product_id": "product", "images": "image"}


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The columns of each role, in order of preference; all ``image`` columns are read."""

    named: tuple[tuple[str, str], ...] = ()

    @property
    def roles(self) -> list[str]:
        """The roles that have a column."""
        return list(dict.fromkeys(role for role, _ in self.named))

    def of(self, role: str) -> list[str]:
        """The columns of a role."""
        return [name for each, name in self.named if each == role]

    def check(self, where: str, header: Iterable[str]) -> None:
        """Check that every named column exists.

        Raises:
            UsageError: one of the names is not in the header.
        """
        existing = list(dict.fromkeys(name for name in header if name))
        for role, name in self.named:
            if name not in existing:
                raise UsageError(f"{where} has no column {name!r} for {role}. It has: {', '.join(existing) or 'none'}")

    @classmethod
    def given(cls, names: Mapping[str, str | Sequence[str]]) -> ColumnNames:
        """Build from a mapping of each role to one column or several.

        Raises:
            UsageError: an unknown role, or an invalid name.
        """
        named = []
        for role, value in names.items():
            known = ALIASES.get(role, role)
            if known not in ROLES:
                raise UsageError(f"there is no column for {role!r}: name {', '.join(ROLES[:-1])} or {ROLES[-1]}")
            values: list[str] = list(value) if isinstance(value, (list, tuple)) else [cast("str", value)]
            if not all(isinstance(each, str) and each for each in values):
                raise UsageError(f"the column for {role} must be a name, or a list of names")
            named += [(known, each) for each in values]
        return cls(tuple(named))


NO_NAMES = ColumnNames()


def read_column_names(path: Path) -> dict[str, str | list[str]]:
    """Read a column mapping from a TOML file: ``image = ["Photo", "Photo 2"]``.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(read_file(path).decode())
    except OSError as error:
        raise UsageError(f"cannot read the names of columns in {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # TOML's errors and UTF-8's are among them
        raise UsageError(f'{path} is not a valid mapping of columns, such as image = "Photo": {error}') from error


def parse_column_names(texts: Iterable[str]) -> dict[str, list[str]]:
    """Parse mappings such as ``image=Photo``; a role with several columns is repeated.

    Raises:
        UsageError: a text has another form.
    """
    names: dict[str, list[str]] = {}
    for text in texts:
        role, divider, name = text.partition("=")
        if not divider or not name.strip():
            raise UsageError(f"{text!r} does not say which column is which: write it as image=Photo")
        names.setdefault(role.strip(), []).append(name.strip())
    return names
