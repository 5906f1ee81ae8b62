"""Rows that a load overwrites or removes, kept as they were so that it can be undone.

They leave PostgreSQL by the statement that changes them, as binary COPY: what is kept is what was
there, whoever else writes.
"""

from services.ingest.domain.former import FormerColumn
from services.ingest.load.outside import FormerStore
from shared.contracts.records import ID_COLUMN, IMPORT_COLUMN, VERSION_COLUMN, TableContract
from shared.store.copying import copy_out
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted
from shared.values.names import formatted

RETURNS_OLD = 18
"""The version of PostgreSQL from which on RETURNING knows `old`."""
SYSTEM = (ID_COLUMN, IMPORT_COLUMN, VERSION_COLUMN)


def columns_of(contract: TableContract) -> tuple[FormerColumn, ...]:
    """The columns that former rows of this table have beside the system columns."""
    return tuple(
        FormerColumn(str(column.name), column.attnum, formatted(column.type))
        for column in contract.columns
    )


def selected(contract: TableContract, row: str) -> str:
    """A former row of this table as SQL, taken from the row that goes by this name."""
    names = (*SYSTEM, *(column.name for column in contract.columns))
    return ", ".join(f"{row}.{quoted(name)}" for name in names)


async def keep(
    connection: RawConnection, query: str, contract: TableContract, store: FormerStore
) -> int:
    """Keep what a query yields as former rows of this table; how many.

    Raises StorageFullError, StorageAwayError.
    """
    status = ""

    def ended(with_status: str) -> None:
        nonlocal status
        status = with_status

    store.begin(columns_of(contract))
    async with copy_out(connection, query, on_end=ended, format="binary") as pieces:
        async for piece in pieces:
            await store.write(piece)
    rows = int(status.rsplit(maxsplit=1)[-1])
    if not rows:
        store.drop()
    return rows


async def keep_versions(connection: RawConnection, table: str, store: FormerStore) -> None:
    """Keep `id`, `_import` and `_version` of records that were put back, as that table has them.

    An undo of the import whose they are again knows by it that nobody has edited them.
    """
    store.begin(())
    rows = f"SELECT id, _import, _version FROM {table} WHERE _import IS NOT NULL"  # noqa: S608
    async with copy_out(connection, rows, format="binary") as pieces:
        async for piece in pieces:
            await store.write(piece)
