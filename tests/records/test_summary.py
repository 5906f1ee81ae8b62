"""Summaries: groups, cut times, measures, their order and pages, and what ends them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from services.records.main import create_app
from tests.records.conftest import ANN, Client, Service, new_name, settings_for
from tests.support.serving import serving

FLIGHTS = "Flights"
COLUMNS = [
    "origin TEXT",
    "carrier CHAR(3)",
    "delay INTEGER",
    "distance NUMERIC(10,2)",
    "miles BIGINT",
    "speed REAL",
    "factor DOUBLE PRECISION",
    "time_hour TIMESTAMPTZ",
    "local_time TIMESTAMP",
    "day DATE",
    "took INTERVAL",
    "late BOOLEAN",
    "extra JSON",
    "count INTEGER",
]
ROWS: list[dict[str, Any]] = [
    {
        "origin": "JFK",
        "carrier": "AA",
        "delay": 5,
        "distance": "100.50",
        "miles": 9223372036854775807,
        "speed": 0.5,
        "factor": 1e300,
        "time_hour": "2024-01-31T23:30:00-02:00",
        "local_time": "2024-01-31T23:30:00",
        "day": "2024-01-31",
        "took": "PT1H30M",
        "late": True,
        "extra": {"b": 1, "a": 2},
        "count": 1,
    },
    {
        "origin": "JFK",
        "carrier": "UA",
        "delay": 6,
        "distance": "0.25",
        "miles": 1,
        "time_hour": "2024-02-29T12:10:00Z",
        "day": "2024-02-29",
        "took": "PT30M",
        "extra": {"a": 2, "b": 1},
        "count": 2,
    },
    {"origin": "ewr", "delay": -2, "distance": "7", "day": "2024-02-01", "late": False},
    {"origin": "LGA", "time_hour": "2025-02-01T00:00:00Z", "day": "infinity"},
    {},
]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def flights(service: Service) -> AsyncIterator[None]:
    await service.ann.table(FLIGHTS, *COLUMNS)
    await service.ann.insert(FLIGHTS, *ROWS[:3], {**ROWS[3], "day": None}, ROWS[4])
    yield


async def summary(service: Service, table: str = FLIGHTS, **params: Any) -> Any:
    answer = await service.ann("GET", f"/api/tables/{table}/summary", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refusal(service: Service, **params: Any) -> tuple[int, str, str]:
    answer = await service.ann("GET", f"/api/tables/{FLIGHTS}/summary", params=params)
    error = answer.json()["errors"][0]
    return answer.status_code, error["field"], error["code"]


async def test_groups_are_keyed_by_the_words_of_the_request(service: Service) -> None:
    answer = await summary(
        service,
        group_by="origin",
        measures="count,sum(delay), AVG( delay ),min(distance),max(day),count_distinct(carrier)",
        sort="-count,origin",
        origin__isnull="false",
    )
    assert list(answer) == ["items", "next", "groups"]
    assert (answer["next"], answer["groups"]) == (None, 3)
    assert answer["items"] == [
        {
            "origin": "JFK",
            "count": 2,
            "sum(delay)": 11,
            "AVG( delay )": 5.5,
            "min(distance)": 0.25,
            "max(day)": "2024-02-29",
            "count_distinct(carrier)": 2,
        },
        {
            "origin": "ewr",
            "count": 1,
            "sum(delay)": -2,
            "AVG( delay )": -2,
            "min(distance)": 7.0,
            "max(day)": "2024-02-01",
            "count_distinct(carrier)": 0,
        },
        {
            "origin": "LGA",
            "count": 1,
            "sum(delay)": None,
            "AVG( delay )": None,
            "min(distance)": None,
            "max(day)": None,
            "count_distinct(carrier)": 0,
        },
    ]


async def test_digits_are_kept(service: Service) -> None:
    measures = "sum(miles),sum(distance),avg(distance),sum(took),avg(took)"
    path = f"/api/tables/{FLIGHTS}/summary"
    text = (await service.ann("GET", path, params={"measures": measures})).text
    assert '"sum(miles)":9223372036854775808' in text
    assert '"sum(distance)":107.75' in text
    assert '"avg(distance)":35.9166666666666667' in text
    assert '"sum(took)":"PT2H"' in text
    assert '"avg(took)":"PT1H"' in text


async def test_long_numbers_may_be_texts(service: Service) -> None:
    asked = "group_by=miles&measures=count,sum(distance),max(delay),count_distinct(origin)&limit=1"
    path = f"/api/tables/{FLIGHTS}/summary?{asked}&numbers=text"
    answer = await service.ann("GET", path)
    assert answer.json()["items"] == [
        {
            "miles": "1",
            "count": 1,
            "sum(distance)": "0.25",
            "max(delay)": 6,
            "count_distinct(origin)": 1,
        }
    ]
    following = await service.ann("GET", answer.json()["next"])
    assert following.json()["items"][0]["miles"] == "9223372036854775807"


async def test_without_groups_there_is_one(service: Service) -> None:
    assert await summary(service) == {"items": [{"count": 5}], "next": None, "groups": 1}
    nothing = await summary(service, measures="count,sum(delay)", id="0")
    assert nothing["items"] == [{"count": 0, "sum(delay)": None}]
    grouped = await summary(service, group_by="origin", id="0")
    assert grouped == {"items": [], "next": None, "groups": 0}


async def test_times_are_cut_in_utc(service: Service) -> None:
    answer = await summary(service, group_by="month(time_hour)")
    assert answer["items"] == [
        {"month(time_hour)": "2024-02-01T00:00:00+00:00", "count": 2},
        {"month(time_hour)": "2025-02-01T00:00:00+00:00", "count": 1},
        {"month(time_hour)": None, "count": 2},
    ]


@pytest.mark.parametrize(
    ("unit", "cut", "moment"),
    [
        ("year", "2024-01-01", "2024-01-01T00:00:00"),
        ("quarter", "2024-01-01", "2024-01-01T00:00:00"),
        ("month", "2024-01-01", "2024-01-01T00:00:00"),
        ("week", "2024-01-29", "2024-01-29T00:00:00"),
        ("day", "2024-01-31", "2024-01-31T00:00:00"),
        ("hour", None, "2024-01-31T23:00:00"),
    ],
)
async def test_each_unit(service: Service, unit: str, cut: str | None, moment: str) -> None:
    words = f"{unit}(local_time)" + (f",{unit}(day)" if cut else "")
    answer = await summary(service, group_by=words, id="1")
    assert answer["items"][0][f"{unit}(local_time)"] == moment
    assert answer["items"][0].get(f"{unit}(day)") == cut


async def test_one_text_however_composed_is_one_group(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "city TEXT")
    await service.ann.insert(table, {"city": "Zürich"}, {"city": "Zu\u0308rich"}, {"city": "Bern"})
    answer = await summary(service, table, group_by="city", measures="count")
    assert answer["items"] == [{"city": "Bern", "count": 1}, {"city": "Zürich", "count": 2}]
    distinct = await summary(service, table, measures="count_distinct(city)")
    assert distinct["items"] == [{"count_distinct(city)": 2}]


async def test_texts_are_sorted_as_people_do_it(service: Service) -> None:
    words = [item["origin"] for item in (await summary(service, group_by="origin"))["items"]]
    assert words == ["ewr", "JFK", "LGA", None]
    by_code = await summary(service, group_by="origin", sort="origin:code")
    assert [item["origin"] for item in by_code["items"]] == ["JFK", "LGA", "ewr", None]


async def test_json_and_booleans_make_groups(service: Service) -> None:
    answer = await summary(service, group_by="extra,late", sort="-count", extra__isnull="false")
    assert [item["count"] for item in answer["items"]] == [1, 1]
    assert {json.dumps(item["extra"], sort_keys=True) for item in answer["items"]} == {
        '{"a": 2, "b": 1}'
    }


async def test_a_column_named_like_a_measure(service: Service) -> None:
    answer = await summary(service, measures="count,sum(count)", count__eq="2")
    assert answer["items"] == [{"count": 1, "sum(count)": 2}]
    assert await refusal(service, group_by="count", measures="count") == (
        422,
        "measures",
        "given_twice",
    )


async def all_pages(service: Service, table: str, **params: Any) -> list[Any]:
    answer = await service.ann("GET", f"/api/tables/{table}/summary", params=params)
    items: list[Any] = []
    while True:
        content = answer.json()
        items += content["items"]
        if content["next"] is None:
            return items
        assert f'<{content["next"]}>; rel="next"' == answer.headers["Link"]
        answer = await service.ann("GET", content["next"])
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "sort",
    ["", "-count", "-origin", "sum(delay),-min(time_hour)", "avg(factor)", "-min(carrier),count"],
)
@pytest.mark.parametrize("limit", ["1", "2"])
async def test_pages_follow_each_other(service: Service, sort: str, limit: str) -> None:
    asked = {
        "group_by": "origin,day(time_hour)",
        "measures": "count,sum(delay),min(time_hour),avg(factor),min(carrier)",
        **({"sort": sort} if sort else {}),
    }
    whole = (await summary(service, **asked))["items"]
    assert len(whole) == 5
    assert await all_pages(service, FLIGHTS, **asked, limit=limit) == whole


async def test_a_cursor_belongs_to_its_order(service: Service) -> None:
    first = await summary(service, group_by="origin", limit="1")
    cursor = httpx2.URL(f"http://t{first['next']}").params["cursor"]
    assert (await refusal(service, group_by="carrier", limit="1", cursor=cursor))[1:] == (
        "cursor",
        "invalid_cursor",
    )


@pytest.mark.parametrize(
    ("params", "field", "code"),
    [
        ({"group_by": "nope"}, "group_by", "unknown_column"),
        ({"group_by": "month(nope)"}, "group_by", "unknown_column"),
        ({"group_by": "decade(day)"}, "group_by", "invalid_choice"),
        ({"group_by": "month(origin)"}, "group_by", "type_mismatch"),
        ({"group_by": "hour(day)"}, "group_by", "type_mismatch"),
        ({"group_by": "origin,origin"}, "group_by", "given_twice"),
        ({"group_by": "a,b,c,d,e,f"}, "group_by", "too_many"),
        ({"measures": "sum(origin)"}, "measures", "type_mismatch"),
        ({"measures": "avg(late)"}, "measures", "type_mismatch"),
        ({"measures": "min(extra)"}, "measures", "type_mismatch"),
        ({"measures": "median(delay)"}, "measures", "invalid_choice"),
        ({"measures": "sum"}, "measures", "invalid_choice"),
        ({"measures": "sum(nope)"}, "measures", "unknown_column"),
        ({"measures": ",".join(f"sum({n})" for n in range(21))}, "measures", "too_many"),
        ({"measures": "sum(delay);drop"}, "measures", "invalid_choice"),
        ({"sort": "-delay"}, "sort", "invalid_choice"),
        ({"sort": "count:code"}, "sort", "invalid_choice"),
        ({"limit": "1001"}, "limit", "out_of_range"),
        ({"page": "2"}, "page", "unknown_column"),
        ({"delay__gte": "x"}, "delay__gte", "type_mismatch"),
    ],
)
async def test_a_wrong_parameter_is_named(
    service: Service, params: dict[str, str], field: str, code: str
) -> None:
    assert await refusal(service, **params) == (422, field, code)


async def test_a_sum_beyond_its_type_is_refused(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "x DOUBLE PRECISION")
    await service.ann.insert(table, {"x": 1.7e308}, {"x": 1.7e308})
    path = f"/api/tables/{table}/summary?measures=sum(x)"
    answer = await service.ann("GET", path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "out_of_range")


async def test_who_may_not_see_the_table_sees_no_sums(service: Service) -> None:
    answer = await service.bob("GET", f"/api/tables/{FLIGHTS}/summary")
    assert (answer.status_code, answer.json()["code"]) == (404, "table_not_found")


async def test_what_takes_too_long_is_ended(service: Service) -> None:
    """Held up by a lock, which counts as time, not by the size of a table."""
    settings = settings_for(service.database, service.issuer, summary_timeout_s=2)
    holder = await asyncpg.connect(service.database.url("records"))
    async with (
        serving(create_app(settings)) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
    ):
        ann = Client(http=http, headers=service.issuer.bearer(ANN))
        path = f"/api/tables/{FLIGHTS}/summary"
        assert (await ann("GET", path)).status_code == 200  # the table is known from here on
        async with holder.transaction():
            await holder.execute(f'LOCK TABLE data."{FLIGHTS}" IN ACCESS EXCLUSIVE MODE')
            answer = await ann("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (503, "took_too_long")
        assert answer.headers["Retry-After"]
        assert (await ann("GET", path)).json()["items"] == [{"count": 5}]
    await holder.close()
