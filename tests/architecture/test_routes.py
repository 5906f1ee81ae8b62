"""What holds for every route of every service, also for those that peers alone call."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from shared.contracts.base import LARGEST_BIGINT, SentModel
from shared.http.app import MIB, STREAMED
from tests.architecture.apps import SERVICES, app_of

STREAMING = {
    "/api/imports",
    "/api/imports/{id:int}/corrections",
    "/api/upload-csv",
    "/api/data/file",
    "/api/uploads",
    "/api/uploads/{id}",
    "/api/previews",
    "/api/feeds/{name:segment}/runs",
    "/internal/catalog/merge",
    "/internal/catalog/scan",
}
"""They read their body as it comes, and count it themselves."""
LARGEST_BODY_BYTES = 64 * MIB
NOT_FOUND = "/api/tables/{table:segment}/records/{id:int}"
"""Of a record that no table can have, records says 404, as of any that is not there."""


def routes_of(service: str) -> Iterator[RouteContext]:
    for route in iter_route_contexts(app_of(service).routes):
        if isinstance(route.original_route, APIRoute):
            yield route


@pytest.mark.parametrize("service", SERVICES)
def test_every_body_has_a_limit(service: str) -> None:
    for route in routes_of(service):
        limit_bytes = route.max_body_size
        where = f"{route.methods} {route.path}"
        if limit_bytes == STREAMED:
            assert route.path in STREAMING, where
        else:
            assert limit_bytes is not None, where
            assert limit_bytes <= LARGEST_BODY_BYTES, where


def bounds_of(field_info: Any) -> tuple[int | None, int | None]:
    """The smallest and the largest whole number that a parameter takes."""
    least = most = None
    for mark in field_info.metadata:
        match mark:
            case Ge(ge=int(bound)):
                least = bound
            case Gt(gt=int(bound)):
                least = bound + 1
            case Le(le=int(bound)):
                most = bound
            case Lt(lt=int(bound)):
                most = bound - 1
    return least, most


@pytest.mark.parametrize("service", SERVICES)
def test_no_whole_number_leaves_bigint(service: str) -> None:
    """An id in a path is an `Id`; every other number, too, has bounds that PostgreSQL knows."""
    for route in routes_of(service):
        for field in get_flat_params(route.dependant):
            if getattr(field.field_info, "in_", None) is ParamTypes.header:
                continue
            if field.field_info.annotation not in (int, int | None) or route.path == NOT_FOUND:
                continue
            where = f"{route.methods} {route.path} {field.alias}"
            least, most = bounds_of(field.field_info)
            assert least is not None, where
            assert most is not None, where
            assert 0 <= least <= most <= LARGEST_BIGINT, where
            if f"{{{field.alias}:int}}" in (route.path or ""):
                assert (least, most) == (1, LARGEST_BIGINT), where


@pytest.mark.parametrize("service", SERVICES)
def test_every_body_refuses_text_that_cannot_be_kept(service: str) -> None:
    for route in routes_of(service):
        body = route.body_field
        if body is None:
            continue
        kind = body.field_info.annotation
        for model in get_args(kind) or (kind,):
            assert issubclass(model, SentModel), f"{route.methods} {route.path}: {model}"
