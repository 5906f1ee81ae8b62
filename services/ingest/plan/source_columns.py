"""What a source says of its columns, before anybody decides where they go."""

from dataclasses import dataclass
from typing import Protocol

from shared.values.types import ColumnType


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of a file, table or query.

    `name` is unique in its source; `label` is what its header says, where that is another thing:
    empty for a nameless column, and the same for several of one name. `type` is the one that a
    table made for it gets, and `spelled` how the source spells it; both are None where the
    source holds text.
    """

    name: str
    type: ColumnType | None = None
    spelled: str | None = None
    nullable: bool = True
    label: str | None = None
    doubt: str | None = None
    """What may be wrong with the header, where the column turns out to be text; for people."""

    @property
    def heading(self) -> str:
        """What the header says."""
        return self.name if self.label is None else self.label


@dataclass(frozen=True, slots=True)
class Ways:
    """How the columns of one kind of source are matched."""

    open_ended: bool = False
    """Rows may hold columns that the source does not name before it is read (JSON)."""
    case_blind: bool = False
    """Names are matched in any case where that is unambiguous, as Oracle's need it."""
    reports: bool = False
    """It may be a report of refused rows, whose own columns are left out (files)."""


class Columns(Protocol):
    """What a plan needs of a source."""

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """The columns in order, as far as they are known."""
        ...

    @property
    def ways(self) -> Ways:
        """How they are matched."""
        ...
