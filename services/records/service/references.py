"""References between tables: which columns may be referenced, and which tables are."""

from collections.abc import Iterable, Sequence

from services.records.domain import Column, ColumnSpec, Level, Table
from services.records.errors import ReferencedError, TableNotFoundError
from services.records.repository import registry, shape
from services.records.repository.driver import Driver
from services.records.service.known_tables import KnownTables
from shared.contracts.auth import Caller
from shared.contracts.records import ID_COLUMN
from shared.errors import InvalidInputError
from shared.values.types import FLOAT_TYPES, INTEGER_TYPES, TEXT_TYPES, ColumnType, TypeName

FAMILIES = (
    INTEGER_TYPES | FLOAT_TYPES | {TypeName.NUMERIC},
    TEXT_TYPES,
    frozenset({TypeName.TIMESTAMP, TypeName.TIMESTAMPTZ, TypeName.DATE}),
)
"""Types that PostgreSQL compares with each other."""


async def require_referable(
    known: KnownTables,
    caller: Caller,
    own: str,
    own_columns: Sequence[Column | ColumnSpec],
    references: Iterable[tuple[str, Column | ColumnSpec]],
) -> None:
    """Raise InvalidInputError for a reference to what the caller may not read, or not unique.

    `own` is the table of the columns itself, which may not be there yet; each reference stands
    behind the field that names it.
    """
    for field, column in references:
        reference = column.rules.references
        assert reference is not None
        columns: Sequence[Column | ColumnSpec] = own_columns
        if reference.table != own:
            try:
                columns = (await known.fresh(reference.table, caller, Level.VIEWER)).columns
            except TableNotFoundError as exc:
                raise InvalidInputError.of(f"{field}.table", exc.code, exc.detail) from exc
        _require_unique(field, column.type, reference.column, columns)


async def require_unreferenced(
    driver: Driver, caller: Caller, table: Table, columns: Sequence[Column] | None = None
) -> None:
    """Raise ReferencedError where other tables reference a table, or some of its columns."""
    names = await shape.referencing(driver, table, columns or (), whole=columns is None)
    if not names:
        return
    visible = await registry.visible_among(driver, caller, list(names))
    hidden = len(names) - len(visible)
    words = [f"the table {name!r}" for name in visible]
    if hidden:
        words.append(f"{hidden} that you may not see")
    raise ReferencedError(f"{' and '.join(words)} reference it; drop those references first")


def _require_unique(
    field: str, kind: ColumnType, name: str, columns: Sequence[Column | ColumnSpec]
) -> None:
    if name == ID_COLUMN:
        target = ColumnType(name=TypeName.BIGINT)
    else:
        column = next((each for each in columns if each.name == name), None)
        if column is None or not column.unique:
            message = f"{name[:80]!r} is no unique column of the table"
            raise InvalidInputError.of(f"{field}.column", "not_unique", message)
        target = column.type
    alike = kind.name is target.name or any({kind.name, target.name} <= each for each in FAMILIES)
    if not alike:
        message = f"{kind.spelled()} cannot reference {target.spelled()}"
        raise InvalidInputError.of(f"{field}.column", "type_mismatch", message)
