"""A dataset's name, and the names derived from it: folder, tables, recommendations."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from image_similarity.errors import UsageError

DEPARTMENT = re.compile(r"dpt_number_department(\d+)")
ALLOWED_MARKS = " _-.'+&"
LONGEST, LONGEST_BYTES = 80, 160  # a file system allows 255 bytes: the rest is for suffixes


@dataclass(frozen=True, slots=True)
class Dataset:
    """One catalogue's name inside a workspace. Make it with :meth:`named` or :meth:`department`."""

    name: str

    @classmethod
    def named(cls, name: str) -> Dataset:
        """The dataset of a name, which must be safe as a folder, as a table and in a file's name.

        Letters and digits of any alphabet, spaces inside, and ``_ - . ' + &``; at most 80 characters and 160
        bytes; starting with a letter or a digit. The name is normalised to NFC, so that both encodings of an accented
        letter are the same dataset.

        Raises:
            UsageError: any other name; the message says what is wrong.
        """
        name = unicodedata.normalize("NFC", name)
        odd = sorted({c for c in name if not (c in ALLOWED_MARKS or unicodedata.category(c)[0] in "LMN")})
        if not name.strip():
            reason = "it is empty"
        elif odd:
            reason = f"it holds {', '.join(repr(c) for c in odd)}"
        elif len(name) > LONGEST:
            reason = f"it is longer than {LONGEST} characters"
        elif len(name.encode()) > LONGEST_BYTES:
            reason = f"it is longer than {LONGEST_BYTES} bytes"
        elif unicodedata.category(name[0])[0] not in "LN" or name[-1] in " .":
            reason = "it must start with a letter or a digit and must not end with a space or a full stop"
        else:
            return cls(name)
        raise UsageError(
            f"{name!r} is no name for a dataset: {reason}. Use letters, digits, spaces and {ALLOWED_MARKS.strip()}"
        )

    @classmethod
    def department(cls, number: int) -> Dataset:
        """The dataset of one of the first version's departments; 0 means all of them.

        Raises:
            UsageError: the number is negative or too long for a name.
        """
        if number < 0:
            raise UsageError(f"`dpt_number` must be 0 or more, not {number}")
        return cls.named(f"dpt_number_department{number}")

    @property
    def label(self) -> str:
        """The department's number, or the name."""
        match = DEPARTMENT.fullmatch(self.name)
        return match[1] if match else self.name

    @property
    def is_department(self) -> bool:
        """Whether the first version's file names apply."""
        return DEPARTMENT.fullmatch(self.name) is not None

    def table(self, kind: str = "features") -> str:
        """The unquoted name of a table in the feature store: ``features_371``, ``features_shoes``."""
        return f"{kind}_{self.label}"

    def recommendations(self, model_key: str) -> str:
        """The file name, without extension, of its recommendations under one model."""
        if self.is_department:
            return f"similar_models_dpt_num_department_{self.label}_model_{model_key}"
        return f"{self.name}_model_{model_key}"
