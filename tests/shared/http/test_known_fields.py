"""Unknown fields of a body or a query name the one that was probably meant."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Query

from shared.contracts.base import RequestModel
from shared.http.known_fields import known_fields


class Rules(RequestModel):
    smallest: int = 0


class Column(RequestModel):
    name: str
    rules: Rules | None = None


class Push(RequestModel):
    kind: str
    wait: bool = False


class New(RequestModel):
    columns: tuple[Column, ...] = ()
    origin: Column | Push | None = None


class Filter(RequestModel):
    limit: int = 1


router = APIRouter()


@router.post("/new")
def new(body: New, query: Annotated[Filter, Query()]) -> None: ...


@pytest.mark.parametrize(
    ("where", "fields"),
    [
        (("body", "colums"), ["columns", "origin"]),
        (("body", "columns", 3, "nmae"), ["name", "rules"]),
        (("body", "columns", 3, "rules", "x"), ["smallest"]),
        (("body", "origin", "Push", "x"), ["kind", "name", "rules", "wait"]),
        (("query", "limt"), ["limit"]),
        (("header", "x"), []),
        ((), []),
    ],
)
def test_the_fields_beside_an_unknown_one(where: tuple[int | str, ...], fields: list[str]) -> None:
    assert known_fields(router.routes[0], where) == fields


def test_of_what_is_no_route_nothing_is_known() -> None:
    assert known_fields(None, ("body", "x")) == []
