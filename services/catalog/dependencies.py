"""What a running catalog holds, and the aliases by which routes ask for it."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request, Security
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.service.details import Peers
from shared.contracts.auth import Caller, Scope
from shared.contracts.catalog import CatalogText
from shared.http.caller import authenticated
from shared.security.tokens import Verifier


@dataclass(frozen=True, slots=True)
class CatalogState:
    """Made once by the lifespan, the same for every request."""

    engine: AsyncEngine
    verifier: Verifier
    peers: Peers
    merges: asyncio.Semaphore
    """Bulk merges at a time: each holds a connection for as long as its sender streams."""


def _state(request: Request) -> CatalogState:
    state: CatalogState = request.state.state
    return state


State = Annotated[CatalogState, Depends(_state)]
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
