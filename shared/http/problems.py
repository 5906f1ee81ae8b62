"""Problem documents for all failures: services' own, FastAPI's refusals, unexpected exceptions."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.types import Scope

from shared.away import is_away, is_overdue
from shared.contracts.problem import PROBLEM_MEDIA_TYPE, FieldError, ProblemDocument
from shared.errors import InvalidInputError, ProblemError, TooLargeError, problem_document
from shared.http.known_fields import known_fields, unknown_field
from shared.http.methods import allowed_in
from shared.process.request_id import current_request_id
from shared.values.faults import FaultCode
from shared.values.nearest import SUGGESTED
from shared.values.texts import UnstorableTextError

log = structlog.get_logger()

TITLES = {
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    415: "Unsupported media type",
}

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "The request was refused; `code` says why.",
        "model": ProblemDocument,
        "content": {PROBLEM_MEDIA_TYPE: {}},
    },
    "5XX": {
        "description": "It failed on our side; trying again may help.",
        "model": ProblemDocument,
        "content": {PROBLEM_MEDIA_TYPE: {}},
    },
}


def add_problem_handlers(app: FastAPI) -> None:
    """Register the handlers that turn exceptions into problem documents."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http_exception)


def problem_response(
    document: ProblemDocument, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A response with a problem document."""
    return JSONResponse(
        document.model_dump(exclude_none=True),
        status_code=document.status,
        headers=dict(headers or {}),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def refused(scope: Scope, error: ProblemError) -> JSONResponse:
    """The response to a failure; records its code for the request's log line."""
    scope["tabularium.problem"] = error.code
    document = error.document(request_id=current_request_id.get())
    return problem_response(document, headers=error.headers)


def too_large(scope: Scope) -> JSONResponse:
    """The response to a body over the limit that is in force for the request's route."""
    limit_bytes = scope.get(MAX_BODY_SIZE_SCOPE_KEY)
    detail = f"a body has at most {limit_bytes} bytes here"
    return refused(scope, TooLargeError(detail, limit_bytes=limit_bytes))


def unexpected(exc: Exception, request_id: str) -> JSONResponse:
    """The response to an unhandled exception: 503 while PostgreSQL is away or slow, else 500."""
    if is_away(exc):
        log.error("database_down", error=type(exc).__name__)
        return _unavailable(
            "database_unavailable", "the database is away; try again in a few seconds", request_id
        )
    if is_overdue(exc):
        log.warning("database_slow", error=type(exc).__name__)
        return _unavailable(
            "too_slow", "the database took too long, with nothing done; try again later", request_id
        )
    log.error("unexpected_error", exc_info=exc)
    return problem_response(
        problem_document(
            status=500,
            code="internal_error",
            title="Something went wrong on our side",
            detail=f"the error is in our logs under the request id {request_id}",
            request_id=request_id,
        )
    )


def _unavailable(code: str, detail: str, request_id: str) -> JSONResponse:
    return problem_response(
        problem_document(
            status=503,
            code=code,
            title="Temporarily unavailable",
            detail=detail,
            request_id=request_id,
        ),
        headers={"Retry-After": "5"},
    )


async def _problem(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, ProblemError)
    return refused(request.scope, exc)


async def _http_exception(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)
    if exc.status_code == 413 and MAX_BODY_SIZE_SCOPE_KEY in request.scope:
        return too_large(request.scope)
    # FastAPI answers so where json raises anything but JSONDecodeError.
    if exc.status_code == 400 and isinstance(exc.__cause__, ValueError | RecursionError):
        return refused(request.scope, unreadable_json(exc.__cause__))
    title = TITLES.get(exc.status_code, "Not possible")
    code = title.lower().replace(" ", "_")
    detail, headers = str(exc.detail), dict(exc.headers or {})
    if exc.status_code == 405:
        headers["Allow"] = allowed_in(request.app.routes, request.scope["path"])
        detail = f"there is no {request.method} here, only {headers['Allow']}"
    request.scope["tabularium.problem"] = code
    return problem_response(
        problem_document(
            status=exc.status_code,
            code=code,
            title=title,
            detail=detail,
            request_id=current_request_id.get(),
        ),
        headers=headers,
    )


def unreadable_json(cause: ValueError | RecursionError) -> InvalidInputError:
    """What a body is refused with that cannot be read as JSON, or not without losing a member."""
    reason = "it is nested too deeply" if isinstance(cause, RecursionError) else str(cause)
    return InvalidInputError.of("body", "json_invalid", f"this is no JSON: {reason}")


async def _validation(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)
    route = request.scope.get("route")
    errors = [
        _field_error(error, body=exc.body, route=route if number < SUGGESTED else None)
        for number, error in enumerate(exc.errors())
    ]
    return refused(request.scope, InvalidInputError.of_fields(errors))


def _field_error(error: Mapping[str, Any], *, body: object, route: object) -> FieldError:
    where = list(error["loc"])
    known = known_fields(route, where) if error["type"] == "extra_forbidden" else ()
    if len(where) > 1 and where[0] in ("body", "query", "path", "header", "cookie"):
        where = _sent(where[1:], body) if where[0] == "body" else where[1:]
    code = str(error["type"])
    message = str(error["msg"])
    if code == "extra_forbidden":
        code, message = "unknown_field", unknown_field(str(where[-1]), known)
    elif code == "string_unicode":
        unstorable = UnstorableTextError(FaultCode.BAD_ENCODING)
        code, message = unstorable.code, str(unstorable)
    elif code == "json_invalid":
        message = f"this is no JSON: {error['ctx']['error']} at character {where[-1]}"
        where = ["body"]
    elif code == "value_error":
        # EmailStr raises one of its own that holds no exception: there is only the message.
        message = message.removeprefix("Value error, ")
    return FieldError(field=".".join(map(str, where)), code=code, message=message)


def _sent(where: Sequence[int | str], body: object) -> list[int | str]:
    """The path of a field in the body as it was sent.

    Pydantic inserts the name of a union's member, which is not in the body. The last part may be
    a field that is missing.
    """
    parts: list[int | str] = []
    at = body
    for part in where[:-1]:
        known_key = isinstance(at, Mapping) and part in at
        known_place = isinstance(at, list) and isinstance(part, int) and part < len(at)
        if known_key or known_place:
            at = at[part]  # type: ignore[index]
            parts.append(part)
    return [*parts, where[-1]]
