"""Which fields there could have been, where a field is not known."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel

from shared.values.nearest import did_you_mean


def unknown_field(name: str, known: Iterable[str]) -> str:
    """What is said of a field that is not known."""
    return f"this field is not known{did_you_mean(name, known) or '; leave it out'}"


def known_fields(route: object, where: Sequence[int | str]) -> list[str]:
    """The fields beside the one at `where`, as Pydantic names places; none of another route."""
    if not isinstance(route, APIRoute) or not where:
        return []
    at, *path = where[:-1]
    kinds: list[object] = []
    if at == "body" and route.body_field is not None:
        kinds = [route.body_field.field_info.annotation]
    elif at == "query":
        kinds = [each.field_info.annotation for each in route.dependant.query_params]
    models = [model for kind in kinds for model in _models(kind)]
    for part in path:
        if isinstance(part, str):
            # Pydantic also names members of unions, which are no fields.
            models = [below for model in models for below in _below(model, part)] or models
    return sorted({name for model in models for name in _names(model)})


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation: those of a union, a list, a mapping."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for argument in get_args(kind):
        yield from _models(argument)


def _below(model: type[BaseModel], field: str) -> Iterator[type[BaseModel]]:
    for name, info in model.model_fields.items():
        if field in (name, info.alias):
            yield from _models(info.annotation)


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield info.alias or name
