"""What only the other services may ask; the gateway does not route it."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.auth.dependencies import Peer, State
from services.auth.schemas import PlainText
from services.auth.service.subjects import subject
from shared.contracts.auth import SubjectAnswer

router = APIRouter(prefix="/internal/subjects", tags=["internal"])


@router.get("", status_code=200, summary="Who is this")
async def internal_subjects(
    caller: Peer,  # noqa: ARG001 - a peer is required, which one does not matter
    state: State,
    identifier: Annotated[PlainText, Query(description="E-mail address, client id or sub")],
) -> SubjectAnswer:
    """The person or machine client of an e-mail address, a client id or a sub; 404 for nobody."""
    return await subject(state.engine, identifier)
