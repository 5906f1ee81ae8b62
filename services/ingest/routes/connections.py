"""The resource face of sources, and imports from databases."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `source_id`

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response

from services.ingest.dependencies import Importer, RequestKey, State
from services.ingest.routes.answering import accepted
from services.ingest.routes.schemas import ImportAnswer, Limit
from services.ingest.routes.schemas_of_connections import (
    DatabaseImport,
    SourceAnswer,
    SourceTested,
    SourceToSave,
)
from shared.contracts.base import Page
from shared.contracts.catalog import LARGEST_BIGINT

router = APIRouter(tags=["imports"])
sources = APIRouter(tags=["sources"])

SourceIdPath = Annotated[int, Path(alias="id", ge=1, le=LARGEST_BIGINT)]
POSTGRESQL_EXAMPLE = {
    "kind": "postgresql",
    "host": "db.example.com",
    "port": 5432,
    "database": "crm",
    "user": "reader",
    "password": "secret",
}
ORACLE_EXAMPLE = {
    "kind": "oracle",
    "host": "ora.example.com",
    "port": 1521,
    "service_name": "FREEPDB1",
    "user": "reader",
    "password": "secret",
}
IMPORT_EXAMPLES = {
    "postgresql": {
        "summary": "A table of a PostgreSQL database, into a table made for it",
        "value": {
            "source": POSTGRESQL_EXAMPLE,
            "table": "public.customers",
            "into": "Customer",
            "create_table": True,
        },
    },
    "oracle": {
        "summary": "A query on an Oracle database",
        "value": {
            "source": ORACLE_EXAMPLE,
            "query": "SELECT id, name FROM hr.people WHERE active = 1",
            "into": "People",
            "mapping": {"ID": None},
        },
    },
    "saved": {
        "summary": "A table of a saved source",
        "value": {
            "source_id": 7,
            "table": "sales.orders",
            "into": "orders",
            "mode": "upsert",
            "key": ["number"],
        },
    },
}


@router.post(
    "/api/imports/database",
    summary="Import a table or query of another database",
    status_code=202,
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": IMPORT_EXAMPLES}}}},
)
async def imports_database(
    wanted: DatabaseImport,
    caller: Importer,
    state: State,
    response: Response,
    request_key: RequestKey,
) -> ImportAnswer:
    """Queue the import of rows from PostgreSQL or Oracle.

    The log-in and the columns are tried first: 422 says within 10 s, in plain words, what does
    not work. The rows come out of one consistent snapshot of the source.
    """
    run = await state.databases.submit(
        caller, wanted.request(), wanted.given(), wanted.wanted(), request_key=request_key
    )
    return accepted(run, response)


@sources.get("/api/sources", summary="List saved sources")
async def sources_list(
    caller: Importer,
    state: State,
    after: Annotated[int, Query(ge=0, le=LARGEST_BIGINT, description="Ids above this one.")] = 0,
    limit: Limit = 25,
) -> Page[SourceAnswer]:
    """Your saved connections (an admin's: everyone's); passwords are never told."""
    saved = await state.sources.page(caller, after=after, limit=limit + 1)
    more = {"after": saved[limit - 1].id, "limit": limit} if len(saved) > limit else None
    return Page[SourceAnswer](
        items=[SourceAnswer.of_source(source) for source in saved[:limit]],
        next=None if more is None else f"/api/sources?{urlencode(more)}",
    )


@sources.post(
    "/api/sources",
    summary="Save a source",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "content": {
                "application/json": {
                    "examples": {
                        "postgresql": {"value": {"name": "crm", **POSTGRESQL_EXAMPLE}},
                        "oracle": {"value": {"name": "people", **ORACLE_EXAMPLE}},
                    }
                }
            }
        }
    },
)
async def sources_create(
    source: SourceToSave, caller: Importer, state: State, response: Response
) -> SourceAnswer:
    """Keep a connection under a name; its password is encrypted, and never returned."""
    saved = await state.sources.add(caller, source.name, source.login())
    response.headers["Location"] = f"/api/sources/{saved.id}"
    return SourceAnswer.of_source(saved)


@sources.delete(
    "/api/sources/{id:int}",
    summary="Forget a source",
    status_code=204,
)
async def sources_delete(
    source_id: SourceIdPath,
    caller: Importer,
    state: State,
) -> None:
    """Forget a connection and its password; imports that wait for it will fail."""
    await state.sources.remove(caller, source_id)


@sources.post(
    "/api/sources/{id:int}/test",
    summary="Try a source",
)
async def sources_test(source_id: SourceIdPath, caller: Importer, state: State) -> SourceTested:
    """Log in and out again; 422 says within 10 s, in plain words, what does not work."""
    trial = await state.sources.test(caller, source_id)
    return SourceTested(server=trial.server, duration_ms=trial.duration_ms)
