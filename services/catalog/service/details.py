"""One table or one ETL in full; what only peers know is asked of them, outside any transaction.

While a peer is away, the catalog's own part is answered, and the peer is named in `unavailable`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.clients import IngestClient, RecordsClient
from services.catalog.domain import Position, TableKey
from services.catalog.errors import EtlUnknownError, TableUnknownError
from services.catalog.repository import browsing
from services.catalog.repository.browsing import Scan
from services.catalog.schemas import EdgesQuery, EtlAnswer, KnownColumn, TableAnswer
from services.catalog.service.browsing import position_of
from shared.contracts.auth import Caller
from shared.contracts.ingest import ImportSummary
from shared.contracts.records import DATA_SCHEMA, VisibleTable
from shared.http.peers import PeerUnavailableError

RECORDS = "records"
INGEST = "ingest"
SHOWN_IMPORTS = 10

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Peers:
    """The services that know what the catalog does not."""

    records: RecordsClient
    ingest: IngestClient


@dataclass(frozen=True, slots=True)
class Told:
    """What peers told of a table of ours; `unavailable` names those that are away."""

    table: VisibleTable | None
    imports: tuple[ImportSummary, ...] | None
    unavailable: tuple[str, ...]


async def describe_table(
    engine: AsyncEngine, peers: Peers, key: TableKey, query: EdgesQuery, *, caller: Caller
) -> tuple[TableAnswer, Position | None]:
    """A table, and where its list of ETLs goes on; `next` is left to the caller.

    Raises TableUnknownError, and InvalidInputError for a cursor that is none of ours.
    """
    after = position_of(query.cursor, parts=1)
    async with engine.connect() as connection:
        row = await browsing.find_table(connection, key)
        if row is None:
            raise TableUnknownError(f"the catalog knows no table {key.label!r}")
        etls = await browsing.feeding_etls(connection, row["id"], limit=query.limit, after=after)
        names = await browsing.former_names(connection, row["id"])
        scan = await browsing.newest_scan(connection, row["id"])
    told = await _ask(peers, key, caller)
    answer = TableAnswer.model_validate(
        {
            **row,
            "former_names": names,
            "etls": etls.items,
            "next": None,
            **_columns(key, told, scan, caller),
            "imports": told.imports,
            "unavailable": told.unavailable,
        }
    )
    return answer, etls.rest_after


async def describe_etl(
    engine: AsyncEngine, peers: Peers, name: str, query: EdgesQuery, *, caller: Caller
) -> tuple[EtlAnswer, Position | None]:
    """An ETL, and where its list of tables goes on; `next` is left to the caller.

    Raises EtlUnknownError, and InvalidInputError for a cursor that is none of ours.
    """
    after = position_of(query.cursor, parts=2)
    async with engine.connect() as connection:
        row = await browsing.find_etl(connection, name)
        if row is None:
            raise EtlUnknownError(name)
        tables = await browsing.fed_tables(connection, row["id"], limit=query.limit, after=after)
    runs, unavailable = await _visible_runs(peers, name, caller)
    answer = EtlAnswer.model_validate(
        {
            **row,
            "tables": tables.items,
            "next": None,
            "runs": runs,
            "unavailable": unavailable,
        }
    )
    return answer, tables.rest_after


async def _ask(peers: Peers, key: TableKey, caller: Caller) -> Told:
    """Columns and imports of a table of ours; tables of other databases are no peer's business."""
    if key.schema != DATA_SCHEMA:
        return Told(table=None, imports=None, unavailable=())
    try:
        table = await peers.records.describe(key.name, caller)
    except PeerUnavailableError as exc:
        log.warning("peer_away", peer=RECORDS, error=exc.detail)
        return Told(table=None, imports=None, unavailable=(RECORDS,))
    if table is None:
        return Told(table=None, imports=None, unavailable=())
    try:
        imports = await peers.ingest.last_imports(table=key.name, limit=SHOWN_IMPORTS)
    except PeerUnavailableError as exc:
        log.warning("peer_away", peer=INGEST, error=exc.detail)
        return Told(table=table, imports=None, unavailable=(INGEST,))
    return Told(table=table, imports=imports, unavailable=())


def _columns(key: TableKey, told: Told, scan: Scan | None, caller: Caller) -> dict[str, object]:
    """The fields of TableAnswer that tell of columns.

    A scanned table has no grants, and the catalog is open to everyone signed in. But a scan that
    met a schema `data` may have met ours: then only those who may see our table see it.
    """
    if told.table is not None:
        return {
            "columns": tuple(
                KnownColumn(
                    name=column.name,
                    type=column.type.spelled(),
                    nullable=column.nullable,
                    description=column.description,
                )
                for column in told.table.columns
            ),
            "columns_from": "records",
            "estimated_rows": told.table.estimated_rows,
            "scanned_by": None,
            "scanned_at": None,
        }
    if scan is None or (key.schema == DATA_SCHEMA and not caller.is_admin):
        unknown = ("columns", "columns_from", "estimated_rows", "scanned_by", "scanned_at")
        return dict.fromkeys(unknown)
    return {
        "columns": scan.columns,
        "columns_from": "scan",
        "estimated_rows": scan.estimated_rows,
        "scanned_by": scan.etl,
        "scanned_at": scan.scanned_at,
    }


async def _visible_runs(
    peers: Peers, etl: str, caller: Caller
) -> tuple[tuple[ImportSummary, ...] | None, tuple[str, ...]]:
    """An ETL's last runs without those into tables that the caller may not see."""
    try:
        runs = await peers.ingest.last_imports(etl=etl, limit=SHOWN_IMPORTS)
    except PeerUnavailableError as exc:
        log.warning("peer_away", peer=INGEST, error=exc.detail)
        return None, (INGEST,)
    try:
        visible = await _visible(peers.records, {run.table for run in runs if run.table}, caller)
    except PeerUnavailableError as exc:
        log.warning("peer_away", peer=RECORDS, error=exc.detail)
        return None, (RECORDS,)
    return tuple(run for run in runs if run.table is None or run.table in visible), ()


async def _visible(records: RecordsClient, tables: Iterable[str], caller: Caller) -> set[str]:
    return {name for name in tables if await records.describe(name, caller) is not None}
