"""What an undo must know of the import that it takes back; pure."""

from dataclasses import dataclass
from datetime import datetime

from services.ingest.domain.former import FormerRows
from services.ingest.domain.options import ImportKind, Mode
from services.ingest.domain.run import ImportId, Run, State, Undone


@dataclass(frozen=True, slots=True)
class Member:
    """An import whose rows are to be taken back, or a correction that entered as its rows."""

    id: ImportId
    mode: Mode
    state: State
    inserted: int
    updated: int
    deleted: int
    table_oid: int | None
    former: FormerRows | None

    @property
    def removed(self) -> bool:
        """Whether its former rows were removed, and not overwritten."""
        return self.mode is Mode.REPLACE

    @property
    def lacks_former(self) -> bool:
        """Whether it changed rows of which nothing is kept (any more)."""
        if self.former is not None:
            return False
        if self.removed and self.table_oid is None:  # it ran before former rows were kept
            return True
        return self.updated > 0 or self.deleted > 0


@dataclass(frozen=True, slots=True)
class Later:
    """A later import into the same table, with the rows that it overwrote, removed or put back."""

    id: ImportId
    kind: ImportKind
    former: FormerRows


@dataclass(frozen=True, slots=True)
class Family:
    """An import with its corrections, in the order in which they ended."""

    id: ImportId
    finished_at: datetime | None
    undone: Undone | None
    members: tuple[Member, ...]

    @property
    def first(self) -> Member:
        """The import itself."""
        return next(member for member in self.members if member.id == self.id)

    @property
    def done(self) -> tuple[Member, ...]:
        """Those that loaded rows."""
        return tuple(member for member in self.members if member.state is State.SUCCEEDED)


def why_never(run: Run) -> str | None:
    """Why this import can never be undone, in words; None where nothing speaks against it."""
    if run.table is None:
        return "an import into the catalog cannot be undone"
    if run.kind is ImportKind.UNDO:
        return "an undo cannot be undone: import the rows again"
    if run.kind is ImportKind.CORRECTION:
        return f"its rows are those of import {run.follows}: undo that"
    if run.options.dry_run:
        return "it was a dry run and changed nothing"
    return None


def why_not_now(family: Family) -> str | None:
    """Why the import cannot be undone as things are, in words."""
    if family.undone is not None:
        return f"import {family.undone.import_id} has undone it already"
    first = family.first
    if not first.state.is_final:
        return f"it is {first.state.value}: cancel it instead"
    if first.state is not State.SUCCEEDED:
        return (
            f"it {'was' if first.state is State.CANCELLED else 'has'} {first.state.value}:"
            " nothing of it is in the table"
        )
    for member in family.members:
        if not member.state.is_final:
            return f"its correction, import {member.id}, is {member.state.value}: wait for its end"
    if any(member.lacks_former for member in family.done):
        return "the rows that it overwrote or removed are no longer kept"
    return None
