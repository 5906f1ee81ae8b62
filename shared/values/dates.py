"""How dates are written in one file: YYYY-MM-DD, and one or several formats beside it."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cached_property

SEPARATOR = "|"
"""Between several formats."""
TWO_DIGIT_YEARS = "two-digit years want `century_from`, the first year of their hundred: 1930"

_LETTERS = (("YYYY", "%Y"), ("YY", "%y"), ("MM", "%m"), ("DD", "%d"))
_DIRECTIVES = {
    "Y": r"(?P<Y>[0-9]{4})",
    "y": r"(?P<y>[0-9]{2})",
    "m": r"(?P<m>[0-9]{1,2})",
    "d": r"(?P<d>[0-9]{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "B": r"(?P<B>[A-Za-z]{3,9})",
}
_NUMBERS = frozenset(_DIRECTIVES[letter] for letter in "Yymd")
_TIME_BEHIND = re.compile(r"[T ,]+%[HI](?::?%M(?::?%S(?:[.,]?%f)?)?)?(?: ?%p)?(?: ?%[zZ])?")
"""The time of a format; it is taken as for any timestamp, whatever the format says of it."""
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ISO = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)


class Epoch(Enum):
    """What a number of a timestamp counts since 1970-01-01 in UTC; the value is its format."""

    SECONDS = "epoch_s"
    MILLISECONDS = "epoch_ms"

    @property
    def microseconds(self) -> int:
        """Microseconds of one."""
        return 1_000_000 if self is Epoch.SECONDS else 1_000


@dataclass(frozen=True, slots=True)
class DateMatch:
    """A date's shape at the start of a text; `day` is None when there is no such day.

    `other` is another day that the same characters are by another of the formats.
    """

    day: date | None
    end: int
    other: date | None = None
    iso: bool = False


@dataclass(frozen=True)
class DatePattern:
    """One format, in strptime's `%Y %y %m %d %b %B`, or YYYY, YY, MM and DD.

    Raises ValueError, with a reason for people, when it cannot say a day.
    """

    spelled: str
    century_from: int | None = None
    """The first of the hundred years that `%y` stands for."""

    def __post_init__(self) -> None:
        _ = self.compiled

    @cached_property
    def strptime(self) -> str:
        """The date in `%` directives; what follows it of a time is left out."""
        spelled = self.spelled
        if "%" not in spelled:
            for letters, directive in _LETTERS:
                spelled = spelled.replace(letters, directive)
        return _TIME_BEHIND.sub("", spelled)

    @cached_property
    def directives(self) -> frozenset[str]:
        """The letters behind its percent signs."""
        return frozenset(re.findall("%(.)", self.strptime.replace("%%", "")))

    @cached_property
    def shape(self) -> str:
        """A regular expression of every date of the format; groups are named by directives."""
        parts: list[str] = []
        seen: set[str] = set()
        spelled = iter(self.strptime)
        for character in spelled:
            if character != "%":
                parts.append(_literal(character))
                continue
            directive = next(spelled, "")
            if directive == "%":
                parts.append("%")
                continue
            if directive not in _DIRECTIVES or directive in seen:
                raise ValueError(
                    f"%{directive} cannot stand here; use %Y or %y, %m, %b or %B, and %d, once"
                    " each, and %H or %I, %M, %S, %f, %p and %z behind them"
                )
            seen.add(directive)
            parts.append(_DIRECTIVES[directive])
        if not (len(seen & {"Y", "y"}) == 1 and len(seen & {"m", "b", "B"}) == 1 and "d" in seen):
            raise ValueError("it must name a year (%Y or %y), a month (%m, %b, %B) and a day (%d)")
        if "y" in seen and self.century_from is None:
            raise ValueError(TWO_DIGIT_YEARS)
        numbers = [part in _NUMBERS for part in parts]
        for at, part in enumerate(parts):
            # Without a sign between them, digits are told apart by their number alone.
            if numbers[at] and any(numbers[max(at - 1, 0) : at] + numbers[at + 1 : at + 2]):
                parts[at] = part.replace("{1,2}", "{2}")
        return "".join(parts)

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The shape, for Python."""
        return re.compile(self.shape, re.ASCII)

    def match(self, text: str) -> DateMatch | None:
        """The date at the start of a text, None where none of its shape is there."""
        match = self.compiled.match(text)
        return None if match is None else DateMatch(self._day(match.groupdict()), match.end())

    def _day(self, parts: dict[str, str]) -> date | None:
        if "Y" in parts:
            year = int(parts["Y"])
        else:
            assert self.century_from is not None
            year = self.century_from + (int(parts["y"]) - self.century_from) % 100
        name = (parts.get("b") or parts.get("B") or "").lower()
        month = int(parts["m"]) if "m" in parts else _month(name, whole="B" in parts)
        return day_of(year, month, int(parts["d"])) if month else None


@dataclass(frozen=True)
class DateFormat:
    """ISO dates, and before them those of `formats`, parted by `|`.

    A text of the shape of one of the formats is never read as ISO, even when it is no day:
    `%Y-%d-%m` would otherwise take days for months wherever that happens to fit. `epoch_s` and
    `epoch_ms` stand for numbers of seconds and milliseconds since 1970.

    Raises ValueError, with a reason for people, when a format is none.
    """

    formats: str | None = None
    century_from: int | None = None

    def __post_init__(self) -> None:
        _ = self.patterns

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The formats one by one."""
        return () if self.formats is None else tuple(self.formats.split(SEPARATOR))

    @cached_property
    def epoch(self) -> Epoch | None:
        """What numbers count."""
        epochs = [epoch for epoch in Epoch if epoch.value in self.words]
        if len(epochs) > 1:
            raise ValueError("a number counts seconds or milliseconds: name one of them")
        return epochs[0] if epochs else None

    @cached_property
    def patterns(self) -> tuple[DatePattern, ...]:
        """The formats of dates that are written out."""
        epoch = self.epoch
        return tuple(
            DatePattern(word, self.century_from)
            for word in self.words
            if epoch is None or word != epoch.value
        )

    @property
    def spelled(self) -> str:
        """For messages."""
        return " or ".join(["YYYY-MM-DD", *self.words])

    def match(self, text: str) -> DateMatch | None:
        """The date at the start of a text, or None when nothing there has the shape of one."""
        matches = [match for each in self.patterns if (match := each.match(text)) is not None]
        if matches:
            return _the_one(matches)
        if iso := _ISO.match(text):
            day = day_of(int(iso[1]), int(iso[2]), int(iso[3]))
            return DateMatch(day, iso.end(), iso=True)
        return None

    def instant(self, text: str) -> datetime | None:
        """The instant in UTC, without a zone, of a number that counts from 1970.

        None where the text is no such number, or has digits beyond microseconds.
        """
        if self.epoch is None or not _NUMBER.fullmatch(text):
            return None
        whole, _, fraction = text.partition(".")
        places = len(str(self.epoch.microseconds)) - 1
        if fraction[places:].strip("0") or len(whole) > _MOST_DIGITS:
            return None
        count = int(whole + fraction[:places].ljust(places, "0"))
        try:
            return _EPOCH + timedelta(microseconds=count)
        except OverflowError:
            return None


ISO = DateFormat()

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - an instant in UTC
_MOST_DIGITS = 20


def _literal(character: str) -> str:
    """A character in a regular expression, for Python and for polars."""
    punctuation = character.isascii() and not character.isalnum() and not character.isspace()
    return f"\\{character}" if punctuation else character


def _the_one(matches: list[DateMatch]) -> DateMatch:
    """The longest match that is a day; one that is another day in another format, with both."""
    days = [match for match in matches if match.day is not None] or matches
    longest = max(days, key=lambda match: match.end)
    others = (each.day for each in days if each.end == longest.end and each.day != longest.day)
    return DateMatch(longest.day, longest.end, next(others, None))


def _month(name: str, *, whole: bool) -> int:
    names = MONTHS if whole else tuple(month[:3] for month in MONTHS)
    return names.index(name) + 1 if name in names else 0


def day_of(year: int, month: int, day: int) -> date | None:
    """The day; None where the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None
