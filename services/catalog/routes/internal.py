"""What other services tell (scope `internal`); the gateway does not route these paths."""

from fastapi import APIRouter

from services.catalog.dependencies import Peer, State
from services.catalog.service import events
from shared.contracts.catalog import EdgeSeen, TableEvent

router = APIRouter(prefix="/internal/catalog", tags=["internal"])


@router.post("/table-events", status_code=204, summary="A table was made, renamed or dropped")
async def internal_catalog_table_events(state: State, _peer: Peer, event: TableEvent) -> None:
    """Idempotent; may arrive late and out of order."""
    await events.take_table_event(state.engine, event)


@router.post("/edges", status_code=204, summary="An ETL fed a table")
async def internal_catalog_edges(state: State, _peer: Peer, edge: EdgeSeen) -> None:
    """Idempotent; schema, table and ETL are made when unknown."""
    await events.take_edge(state.engine, edge)
