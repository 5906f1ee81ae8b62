"""How dates are written in one file: YYYY-MM-DD, or that and a `date_format`."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property

_LETTERS = (("YYYY", "%Y"), ("YY", "%y"), ("MM", "%m"), ("DD", "%d"))
_DIRECTIVES = {
    "Y": r"(?P<Y>[0-9]{4})",
    "y": r"(?P<y>[0-9]{2})",
    "m": r"(?P<m>[0-9]{1,2})",
    "d": r"(?P<d>[0-9]{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "B": r"(?P<B>[A-Za-z]{3,9})",
}
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PIVOT_YEAR = 69
ISO_SHAPE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DateFound:
    """A date's shape at the start of a text; `day` is None when there is no such day."""

    day: date | None
    end: int


@dataclass(frozen=True)
class DateFormat:
    """ISO dates, and before them those of `pattern`, in strptime's `%Y %y %m %d %b %B`.

    A text of the pattern's shape is never read as ISO, even when it is no day: `%Y-%d-%m` would
    otherwise take days for months wherever that happens to fit.
    Raises ValueError, with a reason for people, when the pattern cannot say a day.
    """

    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None:
            _ = self._compiled

    @property
    def spelled(self) -> str:
        """For messages."""
        return "YYYY-MM-DD" if self.pattern is None else f"YYYY-MM-DD or {self.pattern}"

    @property
    def shape(self) -> str | None:
        """The pattern as a regular expression of the common kind, without groups' names."""
        if self.pattern is None:
            return None
        return re.sub(r"\(\?P<\w>", "(?:", self._compiled.pattern)

    @property
    def strptime(self) -> str | None:
        """The pattern with `%` directives only."""
        if self.pattern is None or "%" in self.pattern:
            return self.pattern
        spelled = self.pattern
        for letters, directive in _LETTERS:
            spelled = spelled.replace(letters, directive)
        return spelled

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        parts: list[str] = []
        seen: set[str] = set()
        spelled = iter(self.strptime or "")
        for character in spelled:
            if character != "%":
                parts.append(re.escape(character))
                continue
            directive = next(spelled, "")
            if directive == "%":
                parts.append("%")
                continue
            if directive not in _DIRECTIVES or directive in seen:
                raise ValueError(
                    f"%{directive} cannot stand here; use %Y or %y, %m, %b or %B, and %d, once each"
                )
            seen.add(directive)
            parts.append(_DIRECTIVES[directive])
        if not (len(seen & {"Y", "y"}) == 1 and len(seen & {"m", "b", "B"}) == 1 and "d" in seen):
            raise ValueError("it must name a year (%Y or %y), a month (%m, %b, %B) and a day (%d)")
        return re.compile("".join(parts), re.ASCII)

    def match(self, text: str) -> DateFound | None:
        """The date at the start of a text, or None when nothing there has the shape of one."""
        if self.pattern is not None and (found := self._compiled.match(text)):
            return DateFound(_day_of_parts(found.groupdict()), found.end())
        if found := _ISO.match(text):
            return DateFound(day_of(int(found[1]), int(found[2]), int(found[3])), found.end())
        return None


def _day_of_parts(parts: dict[str, str]) -> date | None:
    if "Y" in parts:
        year = int(parts["Y"])
    else:  # POSIX: 69 to 99 are the twentieth century
        year = int(parts["y"]) + (1900 if int(parts["y"]) >= _PIVOT_YEAR else 2000)
    name = (parts.get("b") or parts.get("B") or "").lower()
    month = int(parts["m"]) if "m" in parts else _month(name, whole="B" in parts)
    return day_of(year, month, int(parts["d"])) if month else None


def _month(name: str, *, whole: bool) -> int:
    names = _MONTHS if whole else tuple(month[:3] for month in _MONTHS)
    return names.index(name) + 1 if name in names else 0


def day_of(year: int, month: int, day: int) -> date | None:
    """The day; None where the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None
