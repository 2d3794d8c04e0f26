"""API keys with scopes. Only their hashes are stored.

A key is 256 random bits, which cannot be guessed, so one SHA-256 is as safe as a slow hash: slow hashes are for
passwords, which people choose. The file is read again whenever it changes, so a removed key is refused at once.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from image_similarity.errors import KeysError, UsageError
from image_similarity.util.files import locked, replacing
from image_similarity.util.plain_values import plain

FILE = "keys.json"
VERSION = 1
PREFIX = "is_"
BYTES = 32
LONGEST_KEY = 100
"""Characters; a longer text is not hashed at all."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
LONGEST_LIFE = 36_500
"""Days."""
WAIT = 30.0  # seconds for another process that is changing the keys


class KeyScope(StrEnum):
    """What a key permits. Each scope includes the ones before it."""

    read = "read"
    write = "write"
    admin = "admin"

    def includes(self, other: KeyScope) -> bool:
        """Whether this scope permits all that the other one does."""
        order = list(KeyScope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The stored record of a key. Dates are UTC."""

    name: str
    scope: KeyScope
    created: datetime
    expires: datetime | None
    sha256: str

    def expired(self, now: datetime) -> bool:
        """Whether it has expired at this time."""
        return self.expires is not None and now >= self.expires


def utc_now() -> datetime:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


class ApiKeys:
    """The keys of a workspace, in ``keys.json``. ``now`` is a clock."""

    def __init__(self, path: Path, now: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._now = now
        self._seen: tuple[int, int, int] | None = None
        self._read: tuple[ApiKey, ...] = ()

    def all(self) -> tuple[ApiKey, ...]:
        """Every key, in the order in which they were added; none where there is no file.

        Raises:
            KeysError: the file cannot be read or is damaged. All requests are refused then.
        """
        try:
            stat = self.path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._read, self._seen = tuple(_parse(self.path.read_bytes())), seen
        except FileNotFoundError:
            self._read, self._seen = (), None
        except OSError as error:
            raise KeysError(f"cannot read the API keys in {self.path}: {error.strerror or error}") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise KeysError(
                f"{self.path} is damaged, so all requests are refused. Restore a copy, or remove it and add new keys"
            ) from error
        return self._read

    def find(self, secret: str) -> ApiKey | None:
        """The record of a key's text; None where it is unknown or has expired.

        All hashes are compared, each in constant time, so that timing reveals nothing about the keys.

        Raises:
            KeysError: as :meth:`all`.
        """
        keys = self.all()
        if len(secret) > LONGEST_KEY:
            return None
        digest = sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        found: ApiKey | None = None
        for key in keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return None if found is None or found.expired(self._now()) else found

    def add(self, name: str, scope: KeyScope, days: int | None = None) -> str:
        """Create a key that expires after ``days``, or never. Returns its text, which is not stored.

        Raises:
            UsageError: the name is invalid or taken; the days are not 1 to 36,500.
            KeysError: as :meth:`all`.
            OutputError: the file cannot be written.
        """
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a valid name for a key: use letters, digits and . _ -, at most 64")
        if days is not None and not 1 <= days <= LONGEST_LIFE:
            raise UsageError(f"a key is valid for 1 to {LONGEST_LIFE} days, not {days}")
        secret = PREFIX + secrets.token_urlsafe(BYTES)
        now = self._now()
        expires = None if days is None else now + timedelta(days=days)
        with self._locked():
            keys = self.all()
            if any(key.name == name for key in keys):
                raise UsageError(f"there is a key {name!r} already; remove it first, or choose another name")
            self._write([*keys, ApiKey(name, scope, now, expires, sha256(secret.encode()).hexdigest())])
        return secret

    def remove(self, name: str) -> None:
        """Remove a key. A running service refuses it from the next request on.

        Raises:
            UsageError: there is no key of this name.
            KeysError, OutputError: as :meth:`add`.
        """
        with self._locked():
            keys = self.all()
            left = [key for key in keys if key.name != name]
            if len(left) == len(keys):
                known = ", ".join(key.name for key in keys) or "none"
                raise UsageError(f"there is no key {name!r}; there are: {known}")
            self._write(left)

    def _locked(self) -> AbstractContextManager[None]:
        """Lock the keys: else one process that adds could restore a key that another one removes."""
        return locked(self.path.with_suffix(".lock"), WAIT, f"another process is changing {self.path}: try again")

    def _write(self, keys: Iterable[ApiKey]) -> None:
        content = {"version": VERSION, "keys": plain(keys)}
        with (
            replacing(self.path) as temporary,
            # Created with permissions for the owner only, whatever the umask.
            os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
        ):
            json.dump(content, file, indent=1)


def _parse(content: bytes) -> Iterable[ApiKey]:
    """The keys in a file's bytes. Raises ValueError, TypeError or KeyError where the content is invalid."""
    read = json.loads(content)
    if read["version"] != VERSION:
        raise ValueError("another version")
    names = set()
    for row in read["keys"]:
        if not (NAME.fullmatch(row["name"]) and DIGEST.fullmatch(row["sha256"])) or row["name"] in names:
            raise ValueError("not a key")
        names.add(row["name"])
        expires = None if row["expires"] is None else _date(row["expires"])
        yield ApiKey(row["name"], KeyScope(row["scope"]), _date(row["created"]), expires, row["sha256"])


def _date(text: str) -> datetime:
    date = datetime.fromisoformat(text)
    if date.tzinfo is None:
        raise ValueError("a date without a zone")
    return date
