"""asyncpg as the repository sees it, and its errors translated into causes.

Statements are short and their rows few or ready-made JSON, so they run on asyncpg itself; in a
transaction that also writes audit or outbox, on its `raw` connection.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import asyncpg

from services.records.domain import RuleConstraint, Table
from services.records.errors import (
    RefusedValueError,
    StaleTableError,
    StillReferencedError,
    TooSlowError,
    UniqueViolationError,
    UnknownReferenceError,
    WriterInTheWayError,
)
from shared.contracts.problem import FieldError
from shared.contracts.records import ID_COLUMN
from shared.errors import InvalidInputError, ProblemError
from shared.store.citus import constraint_of
from shared.values.rules import CODES, RuleCode, message_of

_MISSING_KEY = re.compile(r"\)=\((.*)\) is not present", re.DOTALL)


class Driver(Protocol):
    """A connection of asyncpg, or its pool."""

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement for its effect."""
        ...

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """All rows."""
        ...

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """The first row, or None."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        ...


class TransactionDriver(Driver, Protocol):
    """A connection inside a transaction; `transaction()` is a savepoint."""

    def transaction(self) -> Any:
        """An asynchronous context manager."""
        ...


@contextmanager
def reading(table: Table) -> Iterator[None]:
    """Translate what goes wrong with a statement on a user's table."""
    try:
        yield
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as exc:
        raise StaleTableError(table.name) from exc
    except (asyncpg.UndefinedFunctionError, asyncpg.DatatypeMismatchError) as exc:
        # A column has another type than we think.
        raise StaleTableError(table.name) from exc
    except asyncpg.InvalidCachedStatementError as exc:
        raise StaleTableError(table.name) from exc
    except asyncpg.DataError as exc:
        raise _value(exc) from exc
    except asyncpg.StatementTooComplexError as exc:
        raise InvalidInputError.of("body", "too_complex", "the value is nested too deep") from exc
    except asyncpg.QueryCanceledError as exc:
        raise TooSlowError(
            "this took too long and was ended, with nothing done; ask for less at once, or make"
            " the columns that you search searchable"
        ) from exc


@contextmanager
def writing(table: Table, *, draws_ids: bool = False) -> Iterator[None]:
    """As `reading`, and constraints; `draws_ids` where new rows get their ids from the sequence.

    Raises WriterInTheWayError for what another try may well get through.
    """
    try:
        with reading(table):
            yield
    except asyncpg.UniqueViolationError as exc:
        constraint = constraint_of(exc)
        violation = unique_violation(table, constraint)
        if draws_ids and columns_of(table, constraint) == (ID_COLUMN,):
            # Somebody chose this id while it was being drawn.
            raise WriterInTheWayError(str(violation)) from exc
        raise violation from exc
    except asyncpg.CheckViolationError as exc:
        raise _broken_rule(table, exc) from exc
    except (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError) as exc:
        raise _foreign_key(table, exc) from exc
    except asyncpg.NotNullViolationError as exc:
        raise InvalidInputError.of(
            str(exc.column_name), "not_null", "this column needs a value"
        ) from exc
    except asyncpg.ProgramLimitExceededError as exc:
        raise InvalidInputError.of(
            "data", "too_long", f"PostgreSQL cannot hold this: {exc.args[0]}"
        ) from exc
    except (
        asyncpg.DeadlockDetectedError,
        asyncpg.SerializationError,
        asyncpg.LockNotAvailableError,
    ) as exc:
        raise WriterInTheWayError(
            "another writer was faster with the same rows; try again"
        ) from exc


def unique_violation(table: Table, constraint: str | None, *, at: str = "") -> UniqueViolationError:
    """A value that is there already, by the name of the constraint that says so."""
    columns = columns_of(table, constraint) or ("data",)
    message = f"{', '.join(columns)}: this value is in the table {table.name!r} already"
    return UniqueViolationError(
        f"{at}{message}",
        errors=[
            FieldError(field=f"{at}{column}", code=UniqueViolationError.code, message=message)
            for column in columns
        ],
    )


def _broken_rule(table: Table, exc: asyncpg.CheckViolationError) -> InvalidInputError:
    constraint = constraint_of(exc)
    held = _rule_held_by(table, constraint)
    if held is None:
        message = f"the table's constraint {constraint!r} refuses it"
        return InvalidInputError.of("data", "check_violation", message)
    rules = table.by_name[held.column].rules
    return InvalidInputError.of(held.column, CODES[held.rule], message_of(held.rule, rules))


def _foreign_key(
    table: Table, exc: asyncpg.ForeignKeyViolationError | asyncpg.RestrictViolationError
) -> ProblemError:
    # PostgreSQL names the referencing table, whichever side was written to, and has a code of its
    # own for RESTRICT from version 18 on.
    held = _rule_held_by(table, exc.constraint_name)
    by_others = exc.table_name != table.name or "still referenced" in (exc.detail or "")
    if by_others or isinstance(exc, asyncpg.RestrictViolationError):
        return StillReferencedError(by=exc.table_name or "")
    if held is None:
        message = "it references what is not there"
        return InvalidInputError.of("data", RuleCode.UNKNOWN_REFERENCE, message)
    value = _MISSING_KEY.search(exc.detail or "")
    rules = table.by_name[held.column].rules
    message = message_of(held.rule, rules, value[1] if value else None)
    return UnknownReferenceError(
        f"{held.column}: {message}",
        errors=[FieldError(field=held.column, code=CODES[held.rule], message=message)],
    )


def _rule_held_by(table: Table, constraint: str | None) -> RuleConstraint | None:
    return next((each for each in table.rule_constraints if each.name == constraint), None)


def columns_of(table: Table, constraint: str | None) -> Sequence[str]:
    """The columns of a constraint, empty if we do not know it."""
    return next((each.columns for each in table.constraints if each.name == constraint), ())


def _value(exc: asyncpg.DataError) -> RefusedValueError:
    # Values are checked before they are sent; this is what only PostgreSQL can know.
    message = str(exc.args[0]) if exc.args else type(exc).__name__
    field, message = exc.column_name or "data", f"PostgreSQL refused a value: {message}"
    return RefusedValueError(
        f"{field}: {message}",
        errors=[FieldError(field=field, code="out_of_range", message=message)],
    )
