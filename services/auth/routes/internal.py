"""Calls for the other services alone; the gateway does not route them."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.auth.dependencies import Peer, Process
from services.auth.schemas import PlainText
from shared.contracts.auth import SubjectAnswer

router = APIRouter(prefix="/internal/subjects", tags=["internal"])


@router.get("", status_code=200, summary="Who is this")
async def internal_subjects(
    caller: Peer,  # noqa: ARG001 - a peer is required, which one does not matter
    auth: Process,
    identifier: Annotated[PlainText, Query(description="E-mail address, client id or sub")],
) -> SubjectAnswer:
    """The person or machine client of an e-mail address, a client id or a sub, else 404."""
    return SubjectAnswer.of(await auth.subjects.find(identifier))
