"""Which table or ETL a caller means by a name that may stand in more than one namespace."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Etl, Table
from services.catalog.errors import AmbiguousNameError, EtlUnknownError, TableUnknownError
from services.catalog.repository import browsing

Named = TypeVar("Named", Etl, Table)


async def require_table(
    connection: AsyncConnection, schema: str | None, name: str, *, namespace: str | None
) -> Table:
    """The table of a name: with `namespace` the one in it, where the empty one means no namespace.

    Without it the one that has none, else the only one. Raises TableUnknownError,
    AmbiguousNameError.
    """
    tables = await browsing.tables_named(connection, schema, name, namespace=namespace)
    label = name if schema is None else f"{schema}.{name}"
    if not tables:
        raise TableUnknownError(f"the catalog has no table {label!r}")
    return _chosen(tables, label)


async def require_labelled_table(
    connection: AsyncConnection, label: str, *, namespace: str | None
) -> Table:
    """The table called `schema.table`, or by its name alone; chosen as in `require_table`.

    Raises TableUnknownError, and AmbiguousNameError also where tables of different schemas have
    the label.
    """
    tables = await browsing.tables_labelled(connection, label, namespace=namespace)
    if not tables:
        raise TableUnknownError(f"the catalog has no table {label!r}")
    if len({(table.key.schema, table.key.name) for table in tables}) > 1:
        raise AmbiguousNameError(label, [table.key.label for table in tables], field="table")
    return _chosen(tables, label)


async def require_etl(connection: AsyncConnection, name: str, *, namespace: str | None) -> Etl:
    """The ETL of a name, chosen as in `require_table`.

    Raises EtlUnknownError, AmbiguousNameError.
    """
    etls = await browsing.etls_named(connection, name, namespace=namespace)
    if not etls:
        raise EtlUnknownError(name)
    return _chosen(etls, name)


def _chosen(candidates: Sequence[Named], label: str) -> Named:
    # By namespace: the one without comes first.
    if len(candidates) > 1 and candidates[0].key.namespace is not None:
        choices = [candidate.key.namespace or "" for candidate in candidates]
        raise AmbiguousNameError(label, choices)
    return candidates[0]
