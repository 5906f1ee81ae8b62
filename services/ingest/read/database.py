"""A table or query of another database, opened through a connection as a source of rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingest.connections.access import SourceAccess
from services.ingest.connections.domain import Login, Selection, SourceKind
from services.ingest.read.oracle import since as oracle
from services.ingest.read.oracle.frames import OracleRows
from services.ingest.read.postgresql import since as postgresql
from services.ingest.read.postgresql.frames import PostgresqlRows
from services.ingest.read.since import Since, Span

DatabaseSource = PostgresqlRows | OracleRows


async def newer_rows(source: DatabaseSource, since: Since) -> tuple[DatabaseSource, Span]:
    """The rows of a source beyond a cursor, in the same snapshot, and how far they go.

    Raises InvalidInputError where the column cannot be a cursor, and SourceUnusableError.
    """
    if isinstance(source, OracleRows):
        return await oracle.newer_rows(source, since)
    return await postgresql.newer_rows(source, since)


@asynccontextmanager
async def opened(
    access: SourceAccess, login: Login, selection: Selection
) -> AsyncIterator[DatabaseSource]:
    """The source in one snapshot; raises SourceRefusedError, SourceUnusableError."""
    async with access.session(login) as session:
        if login.target.kind is SourceKind.ORACLE:
            yield await OracleRows.opened(session, selection)
        else:
            yield await PostgresqlRows.opened(session, selection, timeouts=access.terms.timeouts)
