"""asyncpg as the repository sees it, and its errors translated into causes.

Statements are short and their rows few or ready-made JSON, so they run on asyncpg itself; in a
transaction that also writes audit or outbox, on its `raw` connection.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import asyncpg

from services.records.domain import Table
from services.records.errors import StaleTableError, TooSlowError, UniqueViolationError
from shared.contracts.problem import FieldError
from shared.errors import ConflictError, InvalidInputError


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
def writing(table: Table, *, at: str = "") -> Iterator[None]:
    """As `reading`, and constraints; `at` goes before the names of fields (`[3].`)."""
    try:
        with reading(table):
            yield
    except asyncpg.UniqueViolationError as exc:
        raise unique_violation(table, exc.constraint_name, at=at) from exc
    except asyncpg.NotNullViolationError as exc:
        field = f"{at}{exc.column_name}"
        raise InvalidInputError.of(field, "not_null", "this column needs a value") from exc
    except asyncpg.ProgramLimitExceededError as exc:
        raise InvalidInputError.of(
            f"{at}data", "too_long", f"PostgreSQL cannot hold this: {exc.args[0]}"
        ) from exc
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as exc:
        raise ConflictError("another writer was faster with the same rows; try again") from exc


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


def columns_of(table: Table, constraint: str | None) -> Sequence[str]:
    """The columns of a constraint, empty if we do not know it."""
    return next((each.columns for each in table.constraints if each.name == constraint), ())


def _value(exc: asyncpg.DataError) -> InvalidInputError:
    # Values are checked before they are sent; this is what only PostgreSQL can know.
    message = str(exc.args[0]) if exc.args else type(exc).__name__
    return InvalidInputError.of(
        exc.column_name or "data", "out_of_range", f"PostgreSQL refused a value: {message}"
    )
