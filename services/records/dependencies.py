"""What a running records service holds, and the aliases by which routes ask for it."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Request, Security
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from services.records.clients import SubjectClient
from services.records.errors import MediaTypeError
from services.records.repository.writes import Source
from services.records.service.known_tables import Stores
from services.records.settings import RecordsSettings
from services.records.tables import idempotency
from services.records.types.values import parse_json
from shared.contracts.auth import Caller, Scope
from shared.http.caller import authenticated
from shared.security.tokens import Verifier

BODY_LIMIT_BYTES = 64 * 1024**2
"""The largest body of a request; 10,000 records of 6 KiB."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RecordsState:
    """Made once by the lifespan, the same for every request."""

    settings: RecordsSettings
    verifier: Verifier
    stores: Stores
    subjects: SubjectClient
    idempotency: Table = idempotency

    @property
    def engine(self) -> AsyncEngine:
        """The service's engine."""
        return self.stores.engine


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A body read twice: `value` to look at (numbers as they were written), `text` to send on."""

    value: object
    text: str

    def checked(self, model: type[Model]) -> Model:
        """The body by a model; raises RequestValidationError, as FastAPI would."""
        try:
            return model.model_validate(self.value)
        except ValidationError as exc:
            errors = [{**error, "loc": ("body", *error["loc"])} for error in exc.errors()]
            raise RequestValidationError(errors) from exc

    def member(self, name: str) -> object:
        """A member of the body, which is known to be an object."""
        assert isinstance(self.value, dict)
        return self.value[name]

    def source(self, member: str | None = None) -> Source:
        """The body, or one of its members, for the repository."""
        return Source(self.text, member)


async def _state(request: Request) -> RecordsState:
    state: RecordsState = request.state.state
    return state


async def _stores(request: Request) -> Stores:
    state: RecordsState = request.state.state
    return state.stores


async def json_body(request: Request) -> JsonBody:
    """The body as JSON; raises MediaTypeError and InvalidInputError."""
    media_type = request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
    kind, _, subtype = media_type.lower().partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise MediaTypeError("send JSON, with the Content-Type application/json")
    body = await request.body()
    value = parse_json(body)
    return JsonBody(value=value, text=body.decode())


State = Annotated[RecordsState, Depends(_state)]
Kept = Annotated[Stores, Depends(_stores)]
Body = Annotated[JsonBody, Depends(json_body)]

TableReader = Annotated[Caller, Security(authenticated, scopes=[Scope.TABLES_READ])]
TableWriter = Annotated[Caller, Security(authenticated, scopes=[Scope.TABLES_WRITE])]
RecordReader = Annotated[Caller, Security(authenticated, scopes=[Scope.RECORDS_READ])]
RecordWriter = Annotated[Caller, Security(authenticated, scopes=[Scope.RECORDS_WRITE])]
Peer = Annotated[Caller, Security(authenticated, scopes=[Scope.INTERNAL])]

TableName = Annotated[
    str, Path(description="The table's name, percent-encoded.", examples=["Customer"])
]
RecordId = Annotated[int, Path(description="The record's id.", examples=[1], ge=0)]
