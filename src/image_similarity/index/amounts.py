"""Parse numbers as shops write them: ``12.50 EUR``, ``€9``, ``1.299,00``. All texts of a column are parsed together.

On its own ``1.299`` is ambiguous. The other texts of its column decide: next to ``24,90`` a point groups thousands,
next to ``24.90`` it is the decimal mark.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL "
    "LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR "
    "PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP "
    "TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL RMB"
)
WORDS = (
    "eur usd gbp chf sek nok dkk pln czk huf ron inr try cad aud euro euros dollar dollars kr zł kč ft fr sfr "
    "lei лв руб tl rs zl kc rm rp"
)
SYMBOLS_OF = frozenset(("", "us", "a", "c", "ca", "au", "nz", "r", "hk", "s"))  # the letters before a $
CURRENCIES = frozenset((*CODES.split(), *WORDS.split()))
THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u202f]+")
AROUND = re.compile(r"(\D*?)((?:(?<![^\W\d_])\.)?\d(?:.*\d)?)(?:[.,][-–—]{1,2}|[.,](?=\s|$))?(\D*)", re.ASCII)
SPACED = re.compile(r"[1-9]\d{0,2}(?:[ '’]\d{3})+(?:[.,]\d*)?", re.ASCII)
AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
MARKS = ".,"


def is_number(text: str) -> bool:
    """Whether a text is a finite decimal number without currency or grouping."""
    return PLAIN.fullmatch(text) is not None and math.isfinite(float(text))


def numbers_of(texts: Sequence[str]) -> list[float | None]:
    """Parse a column's distinct texts as numbers; None for a text that is not a number.

    A currency before or after a number is ignored. The decimal mark of an ambiguous text is the one that most of the
    column's unambiguous texts have; without any, a bare ``1.299`` is 1.299. With a currency the mark always groups
    thousands, as in ``£1,299`` beside ``24,90 €``, except for currencies with three decimals (ISO 4217's minor units).
    """
    amounts = [_amount(text) for text in texts]
    marks = [amount.decimal for amount in amounts if amount is not None and amount.decimal]
    usual = "" if not marks else "," if marks.count(",") > marks.count(".") else "."
    return [None if amount is None else amount.value(usual) for amount in amounts]


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number's text without its currency.

    ``decimal``: its decimal mark, empty if ambiguous. ``priced``: it had a currency whose amounts have two decimals or
    none.
    """

    text: str
    decimal: str
    sign: float = 1.0
    priced: bool = False

    def value(self, usual: str) -> float | None:
        """The number; ``usual`` is the column's decimal mark, empty if unknown. None if it is not finite."""
        if self.priced and AMBIGUOUS.fullmatch(self.text):
            usual = "," if "." in self.text else "."
        decimal = self.decimal or usual or "."
        grouping = MARKS[1 - MARKS.index(decimal)]
        number = float(self.text.replace(grouping, "").replace(decimal, "."))
        return self.sign * number if math.isfinite(number) else None


def _amount(text: str) -> _Amount | None:
    """Parse one text; None if it is not a number in any reading."""
    text = SPACES.sub(" ", text).strip()
    if PLAIN.fullmatch(text) and not AMBIGUOUS.fullmatch(text):
        return _Amount(text, "." if "." in text else "")
    found = AROUND.fullmatch(text)
    if found is None:
        return None
    before, number, after = found[1].strip(), found[2], found[3].strip()
    unsigned = re.sub(r"[-−+]", "", before, count=1).strip()
    units = [each for each in (unsigned, after) if each]
    if len(units) > 1 or not all(map(_is_currency, units)):
        return None
    priced = bool(units) and THREE_DECIMALS.isdisjoint(each.upper() for each in units)
    decimal: str | None
    if SPACED.fullmatch(number):
        number = re.sub(r"[ '’]", "", number)
        decimal = next((mark for mark in MARKS if mark in number), "")
    else:
        decimal = _decimal_of(number)
    return None if decimal is None else _Amount(number, decimal, -1.0 if {"-", "−"} & set(before) else 1.0, priced)


@cache
def _is_currency(text: str) -> bool:
    word = text.rstrip(".").strip()
    if word in CURRENCIES or word.casefold() in CURRENCIES:
        return True
    letters = "".join(each for each in word if unicodedata.category(each) != "Sc").strip()
    return len(letters) < len(word) and letters.casefold() in SYMBOLS_OF


def _decimal_of(text: str) -> str | None:
    """The decimal mark of digits with points and commas; empty if ambiguous, None if the text is not a number."""
    if AMBIGUOUS.fullmatch(text):
        return ""
    for decimal, grouping in ((".", ","), (",", ".")):
        groups = rf"[1-9]\d{{0,2}}(\{grouping}\d{{2,3}})*\{grouping}\d{{3}}"
        if re.fullmatch(rf"({groups}|\d*)(\{decimal}\d*)?", text, re.ASCII):
            return decimal if decimal in text or grouping in text else ""
    return None
