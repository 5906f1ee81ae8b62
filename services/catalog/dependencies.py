"""The aliases by which routes ask for the process, the caller and names in a path."""

from typing import Annotated

from fastapi import Depends, Path, Request, Security

from services.catalog.process import CatalogProcess
from shared.contracts.auth import Caller, Scope
from shared.contracts.catalog import CatalogText
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
    CatalogText, Path(description="The schema's name, percent-encoded.", examples=["data"])
]
TableName = Annotated[
    CatalogText, Path(description="The table's name, percent-encoded.", examples=["Customer"])
]
