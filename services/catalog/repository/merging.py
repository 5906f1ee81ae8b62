"""Bulk merges: COPY into a temporary table while lines stream in, then a few set-based statements.

No edge and no table is ever deleted here, and all of it is one transaction. Merges hold the lock
alone (`repository.locks`), so what a statement finds missing stays missing until it has inserted
it.
"""

from collections.abc import AsyncIterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    and_,
    column,
    func,
    literal,
    null,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Merged, ScanRow
from services.catalog.repository.edges import absorbing
from services.catalog.tables import NO_NAMESPACE, EdgeRow
from shared.store.copying import while_connected
from shared.store.engine import RawConnection

STAGE = text(
    "CREATE TEMPORARY TABLE staged"
    " (line bigint, etl text, schema_name text, name text, columns text, estimated_rows bigint)"
    " ON COMMIT DROP"
)
ANALYZE_STAGED = text("ANALYZE pg_temp.staged")
ANALYZE_PAIRS = text("ANALYZE pg_temp.pairs")
# Sorting and hashing a million names in the server's default of 4 MB would go through files.
MORE_MEMORY = text("SET LOCAL work_mem = '128MB'")
CLOCK = text("SELECT clock_timestamp()")

# Names are made distinct before they are looked up: there are far fewer of them than lines. ETLs
# have no namespace here; `:namespace` is that of the tables, empty for triples.
NEW_ETLS = text(
    "INSERT INTO catalog.etls (name, first_seen)"
    " SELECT named.name, CAST(:at AS timestamptz)"
    " FROM (SELECT DISTINCT etl AS name FROM pg_temp.staged) AS named"
    " WHERE NOT EXISTS (SELECT FROM catalog.etls known"
    " WHERE known.name = named.name AND known.namespace = '')"
    " ORDER BY 1"
)
NEW_SCHEMAS = text(
    "INSERT INTO catalog.schemas (name, namespace, first_seen)"
    " SELECT named.name, :namespace, CAST(:at AS timestamptz)"
    " FROM (SELECT DISTINCT schema_name AS name FROM pg_temp.staged) AS named"
    " WHERE NOT EXISTS (SELECT FROM catalog.schemas known"
    " WHERE known.name = named.name AND known.namespace = :namespace)"
    " ORDER BY 1"
)
NEW_TABLES = text(
    "INSERT INTO catalog.tables (schema_name, name, namespace, first_seen)"
    " SELECT DISTINCT staged.schema_name, staged.name, :namespace, CAST(:at AS timestamptz)"
    " FROM pg_temp.staged"
    " WHERE NOT EXISTS (SELECT FROM catalog.tables known"
    " WHERE known.schema_name = staged.schema_name AND known.name = staged.name"
    " AND known.namespace = :namespace)"
    " ORDER BY 1, 2"
)

# The edges of tables that are new, sorted once by the tables' names: the ids, the tables and the
# edges follow in that order, and nothing has to be looked up again. The first edge of each table
# brings its id.
FRESH = text(
    "CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS"
    " SELECT schema_name, name, etl_id,"
    " CASE WHEN place = 1 THEN nextval('catalog.tables_id_seq') END AS table_id"
    " FROM (SELECT schema_name, name, etl_id,"
    " row_number() OVER (PARTITION BY schema_name, name ORDER BY etl_id) AS place"
    " FROM (SELECT DISTINCT staged.schema_name, staged.name, etls.id AS etl_id"
    " FROM pg_temp.staged JOIN catalog.etls ON etls.name = staged.etl AND etls.namespace = ''"
    " WHERE NOT EXISTS (SELECT FROM catalog.tables known"
    " WHERE known.schema_name = staged.schema_name AND known.name = staged.name"
    " AND known.namespace = '')"
    ") AS named) AS placed"
)
FRESH_TABLES = text(
    "INSERT INTO catalog.tables (id, schema_name, name, first_seen)"
    " SELECT table_id, schema_name, name, CAST(:at AS timestamptz) FROM pg_temp.fresh"
    " WHERE table_id IS NOT NULL"
)
FRESH_EDGES = text(
    "INSERT INTO catalog.edges"
    " (etl_id, table_id, first_seen, last_seen, first_import, last_import)"
    " SELECT etl_id, table_id, CAST(:at AS timestamptz), CAST(:at AS timestamptz),"
    " CAST(:import_id AS bigint), CAST(:import_id AS bigint)"
    " FROM (SELECT etl_id, table_id FROM pg_temp.fresh WHERE table_id IS NOT NULL"
    " UNION ALL SELECT others.etl_id, firsts.table_id"
    " FROM pg_temp.fresh AS others JOIN pg_temp.fresh AS firsts USING (schema_name, name)"
    " WHERE others.table_id IS NULL AND firsts.table_id IS NOT NULL) AS edges"
)

# One row for each edge of a table that is known.
PAIRS = text(
    "CREATE TEMPORARY TABLE pairs ON COMMIT DROP AS"
    " SELECT etl_id, table_id, CAST(NULL AS jsonb) AS columns,"
    " CAST(NULL AS bigint) AS estimated_rows"
    " FROM (SELECT DISTINCT etls.id AS etl_id, tables.id AS table_id FROM pg_temp.staged"
    " JOIN catalog.etls ON etls.name = staged.etl AND etls.namespace = ''"
    " JOIN catalog.tables ON tables.schema_name = staged.schema_name"
    " AND tables.name = staged.name AND tables.namespace = '') AS named"
)
SCANNED_PAIRS = text(
    "INSERT INTO pg_temp.pairs (etl_id, table_id, columns, estimated_rows)"
    " SELECT DISTINCT ON (etls.id, tables.id) etls.id AS etl_id, tables.id AS table_id,"
    " CAST(staged.columns AS jsonb) AS columns, staged.estimated_rows"
    " FROM pg_temp.staged"
    " JOIN catalog.etls ON etls.name = staged.etl AND etls.namespace = ''"
    " JOIN catalog.tables ON tables.schema_name = staged.schema_name"
    " AND tables.name = staged.name AND tables.namespace = :namespace"
    " ORDER BY etls.id, tables.id, staged.line DESC"
)
# Utility statements take no parameters, so this table is made first and filled then.
EMPTY_PAIRS = text(
    "CREATE TEMPORARY TABLE pairs"
    " (etl_id bigint, table_id bigint, columns jsonb, estimated_rows bigint) ON COMMIT DROP"
)

# A table without a namespace that only this ETL's scans had entered is of the database at hand:
# older scans sent no namespace.
TAKEN_OVER = text(
    "UPDATE catalog.tables SET namespace = :namespace WHERE id IN ("
    " SELECT tables.id FROM catalog.edges"
    " JOIN catalog.etls ON etls.id = edges.etl_id"
    " JOIN catalog.tables ON tables.id = edges.table_id"
    " WHERE etls.name = :etl AND etls.namespace = '' AND tables.namespace = ''"
    " AND edges.scanned_at IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM catalog.edges others"
    " WHERE others.table_id = tables.id AND others.etl_id <> edges.etl_id)"
    " AND NOT EXISTS (SELECT FROM catalog.tables taken WHERE taken.namespace = :namespace"
    " AND taken.schema_name = tables.schema_name AND taken.name = tables.name)"
    ")"
)
SCHEMAS_TAKEN_OVER = text(
    "INSERT INTO catalog.schemas (name, namespace, first_seen)"
    " SELECT schema_name, namespace, min(first_seen) FROM catalog.tables"
    " WHERE namespace = :namespace GROUP BY 1, 2 ON CONFLICT DO NOTHING"
)
EMPTIED_SCHEMAS = text(
    "DELETE FROM catalog.schemas WHERE namespace = ''"
    " AND EXISTS (SELECT FROM catalog.schemas others"
    " WHERE others.name = schemas.name AND others.namespace = :namespace)"
    " AND NOT EXISTS (SELECT FROM catalog.tables"
    " WHERE tables.schema_name = schemas.name AND tables.namespace = '')"
)
VANISHED = text(
    "UPDATE catalog.tables SET vanished_at = CAST(:at AS timestamptz)"
    " WHERE namespace = :namespace AND schema_name <> ALL(CAST(:unsure AS text[]))"
    " AND vanished_at IS NULL AND NOT EXISTS (SELECT FROM pg_temp.staged"
    " WHERE staged.schema_name = tables.schema_name AND staged.name = tables.name)"
)
REAPPEARED = text(
    "UPDATE catalog.tables SET vanished_at = NULL"
    " WHERE namespace = :namespace AND vanished_at IS NOT NULL"
    " AND EXISTS (SELECT FROM pg_temp.staged"
    " WHERE staged.schema_name = tables.schema_name AND staged.name = tables.name)"
)
pairs = table(
    "pairs",
    column("etl_id", BigInteger),
    column("table_id", BigInteger),
    column("columns", JSONB),
    column("estimated_rows", BigInteger),
    schema="pg_temp",
)

STAGED = ("line", "etl", "schema_name", "name", "columns", "estimated_rows")


async def stage(connection: AsyncConnection) -> None:
    """Create the temporary table; it is dropped with the transaction."""
    await connection.execute(STAGE)


async def copy_triples(driver: RawConnection, csv: AsyncIterable[bytes]) -> int:
    """COPY the names of ETL, schema and table as they arrive; returns the number of lines.

    An error of `csv` ends the COPY.
    """
    async with while_connected(driver):
        status = await driver.copy_to_table(
            "staged",
            schema_name="pg_temp",
            source=csv,
            columns=["etl", "schema_name", "name"],
            format="csv",
        )
    return _copied(status)


async def copy_scan(driver: RawConnection, rows: Sequence[ScanRow]) -> int:
    """COPY the rows of one block of a scan; returns their number."""
    async with while_connected(driver):
        status = await driver.copy_records_to_table(
            "staged", schema_name="pg_temp", records=rows, columns=STAGED
        )
    return _copied(status)


def _copied(status: str) -> int:
    """The number in PostgreSQL's `COPY n`."""
    return int(status.removeprefix("COPY "))


async def merge_triples(connection: AsyncConnection, *, import_id: int, received: int) -> Merged:
    """Merge the lines that are staged; an edge that is known gains this import."""
    at = await _merge_etls_and_schemas(connection, namespace=NO_NAMESPACE)
    # Before new tables are inserted, so that it holds the edges of known ones alone.
    await connection.execute(PAIRS)
    await connection.execute(FRESH)
    await connection.execute(FRESH_TABLES, {"at": at})
    fresh = await connection.execute(FRESH_EDGES, {"at": at, "import_id": import_id})
    inserted, known = await _merge_edges(connection, at=at, import_id=import_id, scanned=False)
    return Merged(received, inserted + fresh.rowcount, known, merged_at=at)


async def merge_scan(
    connection: AsyncConnection,
    *,
    import_id: int,
    received: int,
    etl: str,
    namespace: str,
    schemas: Mapping[str, bool],
) -> Merged:
    """As `merge_triples`, with columns and estimates, of the database `namespace`.

    Of two lines for one table the later one counts. `schemas` are all that the database has, and
    whether each was seen whole; empty if that is not known.
    """
    named = {"namespace": namespace}
    if namespace != NO_NAMESPACE:
        taken = await connection.execute(TAKEN_OVER, {**named, "etl": etl})
        if taken.rowcount:
            await connection.execute(SCHEMAS_TAKEN_OVER, named)
            await connection.execute(EMPTIED_SCHEMAS, named)
    at = await _merge_etls_and_schemas(connection, namespace=namespace)
    await connection.execute(NEW_TABLES, {**named, "at": at})
    await connection.execute(EMPTY_PAIRS)
    await connection.execute(SCANNED_PAIRS, named)
    inserted, known = await _merge_edges(connection, at=at, import_id=import_id, scanned=True)
    if namespace != NO_NAMESPACE:
        await connection.execute(REAPPEARED, named)
    if namespace != NO_NAMESPACE and schemas:
        unsure = [name for name, whole in schemas.items() if not whole]
        await connection.execute(VANISHED, {**named, "at": at, "unsure": unsure})
    return Merged(received, inserted, known, merged_at=at)


async def _merge_etls_and_schemas(connection: AsyncConnection, *, namespace: str) -> datetime:
    """Insert what is new of them; returns the time of the merge, by the database's clock."""
    await connection.execute(MORE_MEMORY)
    await connection.execute(ANALYZE_STAGED)
    at: datetime = (await connection.execute(CLOCK)).scalar_one()
    await connection.execute(NEW_ETLS, {"at": at})
    await connection.execute(NEW_SCHEMAS, {"at": at, "namespace": namespace})
    return at


async def _merge_edges(
    connection: AsyncConnection, *, at: datetime, import_id: int, scanned: bool
) -> tuple[int, int]:
    """Insert the edges of `pairs`; those that are known gain this sighting.

    Returns the numbers of new and of known ones.
    """
    await connection.execute(ANALYZE_PAIRS)
    seen_at = literal(at, DateTime(timezone=True))
    by_import = literal(import_id, BigInteger)
    sightings = (
        select(
            pairs.c.etl_id,
            pairs.c.table_id,
            seen_at.label("first_seen"),
            seen_at.label("last_seen"),
            by_import.label("first_import"),
            by_import.label("last_import"),
            pairs.c.columns,
            pairs.c.estimated_rows,
            (seen_at if scanned else null()).cast(DateTime(timezone=True)).label("scanned_at"),
        )
        .select_from(pairs)
        .subquery("sightings")
    )
    names = [column.name for column in sightings.c]
    same = and_(EdgeRow.etl_id == sightings.c.etl_id, EdgeRow.table_id == sightings.c.table_id)
    count = select(func.count())
    named = (await connection.execute(count.select_from(pairs))).scalar_one()
    known = (
        await connection.execute(count.select_from(sightings.join(EdgeRow, same)))
    ).scalar_one()
    # In the order of the rows on disk this is faster than an UPDATE with a join, which is not.
    rows = select(*sightings.c).order_by(sightings.c.table_id, sightings.c.etl_id)
    await connection.execute(absorbing(insert(EdgeRow).from_select(names, rows)))
    return named - known, known
