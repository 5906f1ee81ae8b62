"""Causes of failure that only tables and records know; each has a stable code."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from shared.contracts.problem import FieldError
from shared.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ProblemError,
    UnavailableError,
)
from shared.values.nearest import did_you_mean

FAULTS_SHOWN = 20


class TableNotFoundError(NotFoundError):
    """There is no such table, or none that the caller may see."""

    code = "table_not_found"

    @classmethod
    def named(cls, name: str, *, among: Iterable[str] = ()) -> "TableNotFoundError":
        """The common case; `among` are tables that the caller may see, one of which was meant."""
        suggestion = did_you_mean(name, among)
        return cls(f"there is no table {name[:80]!r} that you may see{suggestion}")


class RecordNotFoundError(NotFoundError):
    """The table has no record with this id."""

    code = "record_not_found"

    @classmethod
    def of_id(cls, table: str, record_id: int) -> "RecordNotFoundError":
        """The common case."""
        return cls(f"{table!r} has no record {record_id}")


class GrantNotFoundError(NotFoundError):
    """The subject has no grant on the table."""

    code = "grant_not_found"


class LastOwnerError(ConflictError):
    """The table would be left without an owner."""

    code = "last_owner"


class SubjectNotFoundError(InvalidInputError):
    """No person or machine client goes by that address or id."""

    code = "unknown_subject"


class LevelMissingError(ForbiddenError):
    """The caller sees the table, but may not do this to it."""

    code = "grant_missing"


class UnknownColumnError(InvalidInputError):
    """The table has no such column; looked up again before it is raised."""

    code = "unknown_column"


class Faults:
    """What is wrong with a body, so far."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    @property
    def are_enough(self) -> bool:
        """Whether no more of them would be shown."""
        return len(self._errors) >= FAULTS_SHOWN

    def add(self, field: str, code: str, message: str) -> None:
        """One more."""
        self._errors.append(FieldError(field=field, code=code, message=message))

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Add what InvalidInputError is raised inside, and go on behind the block."""
        try:
            yield
        except InvalidInputError as exc:
            self._errors.extend(exc.errors)

    def refuse(self) -> None:
        """Raise InvalidInputError, or UnknownColumnError where nothing else is wrong."""
        if not self._errors:
            return
        all_unknown = all(error.code == UnknownColumnError.code for error in self._errors)
        kind = UnknownColumnError if all_unknown else InvalidInputError
        raise kind(
            "; ".join(f"{error.field}: {error.message}" for error in self._errors[:3]),
            errors=self._errors[:FAULTS_SHOWN],
        )


class NameTakenError(ConflictError):
    """Something of that name is there already."""

    code = "name_taken"


class UniqueViolationError(ConflictError):
    """A value that must be unique is there already."""

    code = "unique_violation"
    title = "This value is there already"


class WriterInTheWayError(ConflictError):
    """Another writer was faster; the same again may well get through."""


class RefusedValueError(InvalidInputError):
    """A value that only PostgreSQL could refuse."""


class UnknownReferenceError(InvalidInputError):
    """A value that the referenced table does not have."""


class ReferencedError(ConflictError):
    """Other tables reference a table or column that is to go."""

    code = "referenced"
    title = "Other tables reference it"


class StillReferencedError(ConflictError):
    """Records of another table reference this one; `by` is that table's name."""

    code = "still_referenced"
    title = "Other records reference this one"

    def __init__(self, detail: str = "other records reference it", *, by: str = "") -> None:
        super().__init__(detail)
        self.by = by


class RowsInTheWayError(ConflictError):
    """Some rows cannot follow a change of their table; up to ten are named."""

    code = "rows_in_the_way"
    title = "Some rows cannot follow this change"


class TableBusyError(ConflictError):
    """Something holds the table, and a change of its shape would have to wait for it."""

    code = "table_busy"
    title = "The table is in use"

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, errors=errors, headers={"Retry-After": "5"})


class StaleETagError(ProblemError):
    """The record changed since the caller read it."""

    status: ClassVar[int] = 412
    code: ClassVar[str] = "stale_etag"
    title: ClassVar[str] = "The record has changed"


class TooSlowError(UnavailableError):
    """PostgreSQL was not done within the time that a caller waits for an answer."""

    code = "too_slow"


class TookTooLongError(UnavailableError):
    """A summary was not done within its own time-out."""

    code = "took_too_long"


class MediaTypeError(ProblemError):
    """The body is not JSON."""

    status: ClassVar[int] = 415
    code: ClassVar[str] = "unsupported_media_type"
    title: ClassVar[str] = "Unsupported media type"


class ExtensionMissingError(ConflictError):
    """`searchable` needs the extension pg_trgm, and this database does not have it."""

    code = "extension_missing"


class StaleTableError(Exception):
    """What this process knew of a table is old: reload it and try again. Never rendered."""
