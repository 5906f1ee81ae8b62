"""Lists: filters, search, fields, order, pages by number and by cursor, counts."""

import unicodedata
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.records.conftest import Client, Service

PEOPLE = "/api/tables/People/records"
NAMES = ["Ann", "ann", "Bob", "Élodie", "100%", "under_score", "Ян", "back\\slash", "", None]
AGES = [30, None, 5, 5, None, 81, 30, 5, -1, 0]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def people(service: Service) -> AsyncIterator[None]:
    await service.ann.table(
        "People",
        "name TEXT",
        "age INTEGER",
        "score DOUBLE PRECISION",
        "born DATE",
        "code CHAR(4)",
        "tags JSON",
        "sort TEXT",
    )
    await service.ann.insert(
        "People",
        *(
            {
                "name": name,
                "age": age,
                "score": "NaN" if place == 3 else place / 2,
                "born": f"2026-01-{place + 1:02}" if place % 2 else None,
                "code": f"c{place}",
                "tags": {"n": place},
                "sort": f"s{place}",
            }
            for place, (name, age) in enumerate(zip(NAMES, AGES, strict=True))
        ),
    )
    yield


async def ids(client: Client, path: str = PEOPLE, **params: Any) -> list[int]:
    answer = await client("GET", path, params=params or None)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"age": "5"}, [3, 4, 8]),
        ({"age__eq": "5", "name": "Bob"}, [3]),
        ({"age__ne": "5"}, [1, 2, 5, 6, 7, 9, 10]),
        ({"age__gt": "5"}, [1, 6, 7]),
        ({"age__gte": "5", "age__lt": "81"}, [1, 3, 4, 7, 8]),
        ({"age__lte": "0"}, [9, 10]),
        ({"age__in": "5,81"}, [3, 4, 6, 8]),
        ({"age__in": ""}, []),
        ({"name__in": '"Ann",Bob'}, [1, 3]),
        ({"age__isnull": "true"}, [2, 5]),
        ({"age__isnull": "no", "id__lt": "4"}, [1, 3]),
        ({"name": ""}, [9]),
        ({"name__contains": "nn"}, [1, 2]),
        ({"name__contains": "%"}, [5]),
        ({"name__contains": "_"}, [6]),
        ({"name__contains": "\\"}, [8]),
        ({"name__icontains": "éLO"}, [4]),
        ({"name__icontains": "яН"}, [7]),
        ({"name__startswith": "a"}, [2]),
        ({"score": "NaN"}, [4]),
        ({"score__gt": "4"}, [4, 10]),
        ({"born__gte": "2026-01-08"}, [8, 10]),
        ({"code": "c1"}, [2]),
        ({"code__startswith": "c1"}, [2]),
        ({"tags": '{"n": 4}'}, [5]),
        ({"sort__eq": "s2"}, [3]),
        ({"id__in": "1,9"}, [1, 9]),
        ({"_import__isnull": "true", "id": "2"}, [2]),
        ({"q": "ANN"}, [1, 2]),
        ({"q": "s7"}, [8]),
        ({"q": "100%"}, [5]),
        ({"q": "c9"}, [10]),
    ],
)
async def test_filters(service: Service, filters: dict[str, str], expected: list[int]) -> None:
    assert await ids(service.ann, **filters) == expected


@pytest.mark.parametrize(
    ("params", "field", "code"),
    [
        ({"nope": "1"}, "nope", "unknown_column"),
        ({"age__like": "1"}, "age__like", "unknown_operator"),
        ({"age": "five"}, "age", "type_mismatch"),
        ({"age__gt": "99999999999"}, "age__gt", "out_of_range"),
        ({"age__in": "1,x"}, "age__in", "type_mismatch"),
        ({"name__in": '"a'}, "name__in", "invalid_list"),
        ({"age__contains": "1"}, "age__contains", "not_a_text"),
        ({"age__isnull": "perhaps"}, "age__isnull", "type_mismatch"),
        ({"born": "yesterday"}, "born", "type_mismatch"),
        ({"tags": "{"}, "tags", "type_mismatch"),
        ({"name": "\0"}, "name", "nul_byte"),
        ({"q": "\0"}, "q", "nul_byte"),
        ({"sort": "nope"}, "sort", "unknown_column"),
        ({"sort": ","}, "sort", "unknown_column"),
        ({"fields": "name,nope"}, "fields", "unknown_column"),
        ({"limit": "0"}, "limit", "out_of_range"),
        ({"limit": "1001"}, "limit", "out_of_range"),
        ({"limit": "x"}, "limit", "out_of_range"),
        ({"page": "0"}, "page", "out_of_range"),
        ({"page": "²"}, "page", "out_of_range"),
        ({"count": "all"}, "count", "invalid_choice"),
        ({"cursor": "rubbish"}, "cursor", "invalid_cursor"),
        ({"cursor": "WzFd"}, "cursor", "invalid_cursor"),
        ({"cursor": "bnVsbA"}, "cursor", "invalid_cursor"),
    ],
)
async def test_a_wrong_parameter_is_named(
    service: Service, params: dict[str, str], field: str, code: str
) -> None:
    answer = await service.ann("GET", PEOPLE, params=params)
    assert answer.status_code == 422, answer.text
    assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [(field, code)]


async def test_a_parameter_given_twice_is_refused(service: Service) -> None:
    answer = await service.ann("GET", f"{PEOPLE}?limit=1&limit=2")
    assert answer.status_code == 422
    both = await service.ann("GET", f"{PEOPLE}?page=1&cursor=abc")
    assert both.status_code == 422
    assert await ids(service.ann, f"{PEOPLE}?age__gte=5&age__gte=31") == [6]


async def test_fields_choose_columns(service: Service) -> None:
    answer = await service.ann("GET", PEOPLE, params={"fields": "age,_import", "limit": 1})
    assert answer.json()["items"] == [{"id": 1, "age": 30, "_import": None}]
    one = await service.ann("GET", f"{PEOPLE}/1", params={"fields": "name"})
    assert one.json() == {"id": 1, "name": "Ann"}


def _sorted_by(value: Any, *, as_people: bool) -> Any:
    if value is None:
        return 0
    if not as_people:
        return value
    letters = unicodedata.normalize("NFD", value.casefold())
    plain = "".join(each for each in letters if not unicodedata.combining(each))
    return plain, unicodedata.normalize("NFC", letters), value


def expected_order(sort: str) -> list[int]:
    """The order in Python: NULLs are the largest, `id` decides between equals."""
    rows: list[dict[str, Any]] = [
        {"id": place + 1, "name": name, "age": age, "sort": f"s{place}"}
        for place, (name, age) in enumerate(zip(NAMES, AGES, strict=True))
    ]
    words = sort.split(",")
    if "id" not in [word.lstrip("-") for word in words]:
        words.append("id")
    for word in reversed(words):
        name, _, by_code = word.lstrip("-").partition(":")
        as_people = name == "name" and not by_code
        rows.sort(
            key=lambda row: (row[name] is None, _sorted_by(row[name], as_people=as_people)),
            reverse=word.startswith("-"),
        )
    return [int(row["id"]) for row in rows]


SORTS = [
    "age",
    "-age",
    "name,-age",
    "-name",
    "name:code",
    "-name:code,age",
    "-age,name",
    "age,-id",
    "-sort",
    "-id",
    "id,age",
]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_a_cursor_walks_every_row_once_in_order(
    service: Service, sort: str, limit: int
) -> None:
    walked = []
    path = f"{PEOPLE}?sort={sort}&limit={limit}&count=exact"
    for _ in range(20):
        answer = await service.ann("GET", path)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["total"] == len(NAMES)
        walked += [each["id"] for each in body["items"]]
        if body["next"] is None:
            assert "Link" not in answer.headers
            break
        assert answer.headers["Link"] == f'<{body["next"]}>; rel="next"'
        path = body["next"]
    assert walked == expected_order(sort)


@pytest.mark.parametrize("sort", SORTS)
async def test_page_numbers_walk_the_same_rows(service: Service, sort: str) -> None:
    walked = []
    path: str | None = f"{PEOPLE}?sort={sort}&limit=4&page=1"
    while path is not None:
        answer = await service.ann("GET", path)
        walked += [each["id"] for each in answer.json()["items"]]
        path = answer.json()["next"]
    assert walked == expected_order(sort)


async def test_a_cursor_is_not_moved_by_inserts_before_it(service: Service) -> None:
    ann = service.ann
    await ann.table("Moving", "n NUMERIC(20,10)", "t TIMESTAMPTZ", "f REAL", "i INTERVAL", "j JSON")
    rows = [
        {
            "n": f"{place % 3}.1234567891",
            "t": f"2026-01-01T00:00:00.00000{place % 7}Z",
            "f": 0.1 * place,
            "i": f"PT{place % 5}S",
            "j": {"k": [place % 4]},
        }
        for place in range(40)
    ]
    await ann.insert("Moving", *rows)
    for sort in ("-n,t", "t,-n", "f", "-i", "j,-f"):
        path: str | None = f"/api/tables/Moving/records?sort={sort}&limit=7&id__lte=40"
        seen: list[int] = []
        while path is not None:
            body = (await ann("GET", path)).json()
            seen += [each["id"] for each in body["items"]]
            path = body["next"]
            await ann.insert("Moving", rows[len(seen) % 40])
        assert sorted(seen) == list(range(1, 41)), sort


async def test_a_cursor_belongs_to_its_order(service: Service) -> None:
    first = await service.ann("GET", PEOPLE, params={"sort": "name", "limit": 2})
    cursor = first.json()["next"].partition("cursor=")[2]
    answer = await service.ann("GET", f"{PEOPLE}?sort=age&cursor={cursor}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


async def test_counts(service: Service) -> None:
    ann = service.ann
    none = await ann("GET", PEOPLE, params={"limit": 1})
    assert none.json()["total"] is None
    exact = await ann("GET", PEOPLE, params={"limit": 1, "count": "exact", "age": "5"})
    assert exact.json()["total"] == 3
    estimated = await ann("GET", PEOPLE, params={"limit": 1, "count": "estimated", "age": "5"})
    assert estimated.json()["total"] >= 1
    whole = await ann("GET", PEOPLE, params={"limit": 1, "count": "estimated"})
    assert whole.json()["total"] >= 0


async def test_the_tables_list_pages_by_name(service: Service) -> None:
    carol = service.carol
    for name in ("zebra", "Aal", "maus"):
        await carol.table(name, "a TEXT")
    names: list[str] = []
    path: str | None = "/api/tables?limit=2"
    while path is not None:
        body = (await carol("GET", path)).json()
        names += [each["name"] for each in body["items"]]
        path = body["next"]
    assert names == ["Aal", "maus", "zebra"]


async def test_next_is_well_formed_whatever_the_query_was(service: Service) -> None:
    for query in ("name__ne=%22%3E%0A%C3%A9", "q=%5C", "sort=-n%61me", "curso%72=&limit=2"):
        answer = await service.ann(
            "GET", f"{PEOPLE}?limit=1&{query}" if "limit" not in query else f"{PEOPLE}?{query}"
        )
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["field"] == "cursor"
            continue
        following = answer.json()["next"]
        if following is not None:
            assert following.isascii()
            assert (await service.ann("GET", following)).status_code == 200
