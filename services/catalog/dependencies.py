"""The aliases by which routes ask for the process, the caller and names in a path."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request, Security

from services.catalog.process import CatalogProcess
from shared.contracts.auth import Caller, Scope
from shared.contracts.catalog import NAME_LIMIT, CatalogText
from shared.http.caller import authenticated


async def _process(request: Request) -> CatalogProcess:
    process: CatalogProcess = request.state.process
    return process


Process = Annotated[CatalogProcess, Depends(_process)]
Reader = Annotated[Caller, Security(authenticated, scopes=[Scope.CATALOG_READ])]
Writer = Annotated[Caller, Security(authenticated, scopes=[Scope.CATALOG_WRITE])]
Peer = Annotated[Caller, Security(authenticated, scopes=[Scope.INTERNAL])]

EtlName = Annotated[
    CatalogText, Path(description="The ETL's name, percent-encoded.", examples=["nightly load"])
]
SchemaName = Annotated[
    CatalogText,
    Path(
        description="The schema's name, percent-encoded; `-` for what has none.", examples=["data"]
    ),
]
Namespace = Annotated[
    CatalogText | None,
    Query(
        max_length=NAME_LIMIT,
        description="The table's database; empty for none. Needed where the name is ambiguous.",
    ),
]
EtlNamespace = Annotated[
    CatalogText | None,
    Query(
        max_length=NAME_LIMIT,
        description="The ETL's namespace; empty for none. Needed where the name is ambiguous.",
    ),
]
TableName = Annotated[
    CatalogText, Path(description="The table's name, percent-encoded.", examples=["Customer"])
]

NO_SCHEMA = "-"
"""How a path names the schema of what has none."""


def schema_of(name: str) -> str | None:
    """The schema that a path or a query names."""
    return None if name == NO_SCHEMA else name
