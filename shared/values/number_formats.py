"""How numbers are written in one file: decimal point or comma, grouped digits, signs around them.

A number in one of these formats is rewritten as the type table has it, `-1234.50`, digit by digit;
which value that is, and whether a type holds it, is the grammar's business.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

MINUS = "\N{MINUS SIGN}"
SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
"""All that are written between groups of digits; whoever names one means any of them."""
APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
_SIGNS = f"+-{MINUS}"
PLAIN_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
"""A number of the type table, as a regular expression."""
_PLAIN_NUMBER = re.compile(PLAIN_NUMBER, re.ASCII)
_PLAIN_WORD = re.compile("[+-]?[A-Za-z]+", re.ASCII)


@dataclass(frozen=True)
class NumberFormat:
    """A notation of numbers; the default is the type table's own.

    `decimal` is `.` or `,`. `thousands` parts groups of digits; without it they stand together,
    unless the format is `lenient`: then any of the usual separators does, and a number may have
    a currency sign, parentheses or a minus behind it for a negative, U+2212 for a minus, and a
    percent sign, which makes it a hundredth (`12%` is 0.12).

    `beside_plain`: numbers of the type table's own notation may stand among them, as in JSON, whose
    numbers are no texts. What is another number in each of both is none.
    """

    decimal: str = "."
    thousands: str | None = None
    lenient: bool = False
    beside_plain: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is the type table's own notation."""
        return self.decimal == "." and self.thousands is None and not self.lenient

    @property
    def separators(self) -> tuple[str, ...]:
        """What may part groups of digits, as sets of characters; one number has one of them."""
        if self.thousands is not None:
            families = (SPACES, APOSTROPHES)
            family = next((each for each in families if self.thousands in each), self.thousands)
            return (family,)
        if not self.lenient:
            return ()
        return ("," if self.decimal == "." else ".", SPACES, APOSTROPHES)

    @cached_property
    def core(self) -> str:
        """A regular expression of the digits, without sign, for Python and for polars."""
        whole = ["[0-9]+"]
        for family in self.separators:
            for character in map(re.escape, family):
                # No group begins with a zero: 0,123 is a fraction, whoever writes it.
                whole.append(rf"[1-9][0-9]{{0,2}}(?:{character}[0-9]{{3}})+")
                if self.lenient and family == ",":  # 12,34,567 as in India
                    whole.append(rf"[1-9][0-9]?(?:{character}[0-9]{{2}})+{character}[0-9]{{3}}")
        point = re.escape(self.decimal)
        power = "(?:[eE][+-]?[0-9]+)?"
        return rf"(?:(?:{'|'.join(whole)})(?:{point}[0-9]*)?|{point}[0-9]+){power}"

    @cached_property
    def _core(self) -> re.Pattern[str]:
        return re.compile(self.core, re.ASCII)

    def plain(self, text: str) -> str | None:
        """The number as the type table writes it; None where the text is none of this format.

        Words such as NaN stay as they are.
        """
        if self.is_plain or _PLAIN_WORD.fullmatch(text):
            return text
        number = self._lenient(text) if self.lenient else self._signed(text)
        if self.beside_plain and _PLAIN_NUMBER.fullmatch(text):
            return text if number in (None, text) else None
        return number

    def _signed(self, text: str) -> str | None:
        sign = text[:1] if text[:1] in ("+", "-") else ""
        return self._number(sign, text.removeprefix(sign))

    def _number(self, sign: str, core: str) -> str | None:
        if not self._core.fullmatch(core):
            return None
        for family in self.separators:
            core = core.translate(dict.fromkeys(map(ord, family)))
        return sign + core.replace(self.decimal, ".")

    def _lenient(self, text: str) -> str | None:
        """A sign, a currency sign and a percent sign at most once each, in any usual order."""
        negative = text.startswith("(") and text.endswith(")") and len(text) > 2
        sign, core = ("-", text[1:-1]) if negative else ("", text)
        currency = percent = ""
        while core:
            first, last = core[0], core[-1]
            if not sign and first in _SIGNS:
                sign, core = first, core[1:]
            elif not sign and last in f"-{MINUS}":
                sign, core = last, core[:-1]
            elif not currency and _is_currency(first):
                currency, core = first, core[1:].lstrip(SPACES)
            elif not currency and _is_currency(last):
                currency, core = last, core[:-1].rstrip(SPACES)
            elif not percent and last == "%":
                percent, core = last, core[:-1].rstrip(SPACES)
            else:
                break
        number = self._number("-" if sign in ("-", MINUS) else sign, core)
        if number is None or not percent:
            return number
        return None if "e" in number.lower() else f"{number}e-2"


def _is_currency(character: str) -> bool:
    return unicodedata.category(character) == "Sc"


PLAIN = NumberFormat()
