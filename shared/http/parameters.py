"""A query parameter that a call does not have is refused: misspelled, it would be left out."""

from collections.abc import Iterator, Sequence
from re import Pattern
from typing import Any
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import BaseModel
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.contracts.problem import FieldError
from shared.errors import InvalidInputError
from shared.values.nearest import SUGGESTED, did_you_mean
from shared.values.texts import readable


class KnownParameters:
    """Refuses a request whose query names what the route's document does not.

    Raises InvalidInputError naming each.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes
        self._known: Sequence[tuple[str, Pattern[str], frozenset[str] | None]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["query_string"]:
            known = self._of_route(scope)
            if known is not None:
                _refuse_others(scope["query_string"].decode("latin-1"), known)
        await self._app(scope, receive, send)

    def _of_route(self, scope: Scope) -> frozenset[str] | None:
        if self._known is None:
            self._known = tuple(_known(self._routes))
        method, path = scope["method"], scope["path"]
        for of, pattern, known in self._known:
            if method == of and pattern.match(path):
                return known
        return None


def _refuse_others(query: str, known: frozenset[str]) -> None:
    errors: list[FieldError] = []
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            likely = did_you_mean(name, known if len(errors) < SUGGESTED else ())
            message = f"this call has no such parameter{likely}"
            errors.append(
                FieldError(field=readable(name), code="unknown_parameter", message=message)
            )
    if errors:
        raise InvalidInputError.of_fields(errors)


def _known(
    routes: Sequence[BaseRoute],
) -> Iterator[tuple[str, Pattern[str], frozenset[str] | None]]:
    for context in iter_route_contexts(routes):
        dependant = getattr(context, "dependant", None)
        if isinstance(dependant, Dependant):
            for method in context.methods or ():
                yield method, context.path_regex, _names(context, dependant)


def _names(context: RouteContext, dependant: Dependant) -> frozenset[str] | None:
    """The parameters of a route; None where it takes columns as filters, or is not the API's."""
    extra: dict[str, Any] = context.openapi_extra or {}
    written = [each for each in extra.get("parameters", ()) if each["in"] == "query"]
    free = any(each["schema"].get("type") == "object" for each in written)
    if free or not str(context.path).startswith("/api/"):
        return None
    return frozenset({*_of(dependant), *(each["name"] for each in written)})


def _of(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, each in model.model_fields.items():
                yield each.alias or name
        else:
            yield field.alias
    for dependency in dependant.dependencies:
        yield from _of(dependency)
