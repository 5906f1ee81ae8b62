"""The aliases by which routes ask for the process, the caller, names and bodies."""

from typing import Annotated, TypeVar

from fastapi import Depends, Header, Path, Request, Security
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from services.records.domain import Level, Sent
from services.records.errors import MediaTypeError
from services.records.process import RecordsProcess
from services.records.query import tags
from services.records.types.values import parse_json
from shared.contracts.auth import Caller, Scope
from shared.http.caller import authenticated

NAMING_THEIR_TABLE = frozenset({"add_column_action", "insert_record_action"})
"""POSTs of the verb face on a table that is there; their body names it."""

Model = TypeVar("Model", bound=BaseModel)


async def _process(request: Request) -> RecordsProcess:
    process: RecordsProcess = request.state.process
    return process


async def sent_json(request: Request) -> Sent:
    """The body as JSON; raises MediaTypeError and InvalidInputError."""
    media_type = request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
    kind, _, subtype = media_type.lower().partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise MediaTypeError("send JSON, with the Content-Type application/json")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise MediaTypeError("send the body as it is: this call takes no Content-Encoding")
    body = await request.body()
    value = parse_json(body)
    return Sent(value=value, text=body.decode())


def read_as(model: type[Model], sent: Sent) -> Model:
    """The body by a model; raises RequestValidationError, as FastAPI would."""
    try:
        return model.model_validate(sent.value)
    except ValidationError as exc:
        errors = [{**error, "loc": ("body", *error["loc"])} for error in exc.errors()]
        raise RequestValidationError(errors) from exc


async def still_sees_table(request: Request, caller: Caller) -> None:
    """Raise TableNotFoundError where the caller may no longer see the table of a first answer.

    Whoever made a table may have that answer again, whatever became of the table.
    """
    name = request.path_params.get("table")
    if name is None and request.scope["route"].name in NAMING_THEIR_TABLE:
        value = (await sent_json(request)).value
        name = value.get("table_name") if isinstance(value, dict) else None
    if name is not None:
        process: RecordsProcess = request.state.process
        await process.tables.known.fresh(str(name), caller, Level.VIEWER)


Process = Annotated[RecordsProcess, Depends(_process)]
SentBody = Annotated[Sent, Depends(sent_json)]

TableReader = Annotated[Caller, Security(authenticated, scopes=[Scope.TABLES_READ])]
TableWriter = Annotated[Caller, Security(authenticated, scopes=[Scope.TABLES_WRITE])]
RecordReader = Annotated[Caller, Security(authenticated, scopes=[Scope.RECORDS_READ])]
RecordWriter = Annotated[Caller, Security(authenticated, scopes=[Scope.RECORDS_WRITE])]
Peer = Annotated[Caller, Security(authenticated, scopes=[Scope.INTERNAL])]

TableName = Annotated[
    str, Path(description="The table's name, percent-encoded.", examples=["Customer"])
]
RecordId = Annotated[int, Path(description="The record's id.", examples=[1], ge=0)]


async def _no_if_match(request: Request) -> None:
    tags.refuse_if_match(request.headers.get(tags.IF_MATCH))


NoIfMatch = Annotated[None, Depends(_no_if_match)]
IfMatch = Annotated[str | None, Header(description="Only if the record's ETag is still this one.")]
