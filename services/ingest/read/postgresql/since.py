"""The newer rows of a PostgreSQL table or query, and how far they go, in one snapshot."""

from dataclasses import replace

from services.ingest.connections.postgresql.session import translated
from services.ingest.read.postgresql.frames import PostgresqlRows
from services.ingest.read.since import NUMBERS, Since, Span, cursor_column
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted
from shared.values.types import TypeName


async def newer_rows(rows: PostgresqlRows, since: Since) -> tuple[PostgresqlRows, Span]:
    """The rows beyond the cursor, of the same snapshot.

    Raises InvalidInputError where the column cannot be a cursor, and SourceUnusableError.
    """
    column = cursor_column(rows, since.column)
    assert column.type is not None
    name, kind = quoted(column.name), column.type.name
    with translated():
        after = await _literal(rows.session, since.after)
        back = await _literal(rows.session, since.lookback)
        condition = f"{name} IS NOT NULL"
        if since.after is not None:
            bound = f"{after}::{kind.value}"
            if since.lookback is not None:
                bound = f"({bound} - {back}::{'numeric' if kind in NUMBERS else 'interval'})"
            condition = f"{name} {'>=' if since.inclusive else '>'} {bound}"
        within = f"(SELECT * FROM {rows.from_clause} WHERE {condition}) AS source"  # noqa: S608
        # A cursor at infinity would be the last one.
        finite = f"{name} <> 'NaN'" if kind is TypeName.NUMERIC else _finite(name, kind)
        span = await rows.session.fetchrow(
            f"SELECT (SELECT greatest(max({name}) FILTER (WHERE {finite}),"  # noqa: S608
            f" {after}::{kind.value})::text FROM {within}) AS up_to,"
            f" (SELECT count(*) FROM {rows.from_clause} WHERE {name} IS NULL) AS nulls"
        )
    assert span is not None
    return replace(rows, from_clause=within), Span(span["up_to"], span["nulls"])


def _finite(name: str, kind: TypeName) -> str:
    return "true" if kind in NUMBERS else f"isfinite({name})"


async def _literal(session: RawConnection, value: str | None) -> str:
    """A value as the source's own server quotes it."""
    return str(await session.fetchval("SELECT quote_nullable($1::text)", value))
