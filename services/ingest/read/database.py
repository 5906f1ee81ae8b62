"""A table or query of another database, opened through a connection as a source of rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingest.connections.access import SourceAccess
from services.ingest.connections.domain import Login, Selection, SourceKind
from services.ingest.read.oracle.frames import OracleRows
from services.ingest.read.postgresql.frames import PostgresqlRows

DatabaseSource = PostgresqlRows | OracleRows


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
