"""Numbers beyond their type and text that PostgreSQL cannot store: named and refused, never 500."""

import pytest

from tests.ingest.driving import ANN, Ingest

CSV = b"name,age\nAnn,30\n"
HUGE = (2**63, 10**19, 10**400)


def fields_of(answer_body: dict[str, object]) -> list[str]:
    errors = answer_body.get("errors", [])
    assert isinstance(errors, list)
    return [error["field"] for error in errors]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("rest", ["", "/errors", "/events", "/rejects"])
async def test_an_id_beyond_bigint_is_refused(ingest: Ingest, number: int, rest: str) -> None:
    answer = await ingest.get(f"/api/imports/{number}{rest}")
    assert (answer.status_code, fields_of(answer.json())) == (422, ["id"])


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("verb", ["cancel", "retry"])
async def test_a_verb_on_an_id_beyond_bigint_is_refused(
    ingest: Ingest, number: int, verb: str
) -> None:
    answer = await ingest.post(f"/api/imports/{number}/{verb}")
    assert (answer.status_code, fields_of(answer.json())) == (422, ["id"])


async def test_the_largest_id_there_can_be_is_merely_unknown(ingest: Ingest) -> None:
    assert (await ingest.get(f"/api/imports/{2**63 - 1}")).status_code == 404


@pytest.mark.parametrize("number", [*HUGE, -1])
@pytest.mark.parametrize(
    ("path", "name"),
    [("/api/imports", "before"), ("/api/imports/1/errors", "after"), ("/api/sources", "after")],
)
async def test_a_page_beyond_every_id_is_refused(
    ingest: Ingest, path: str, name: str, number: int
) -> None:
    answer = await ingest.get(f"{path}?{name}={number}")
    assert (answer.status_code, fields_of(answer.json())) == (422, [name])


async def test_nul_in_a_filter_is_refused(ingest: Ingest) -> None:
    answer = await ingest.get("/api/imports", table="peo\0ple")
    assert (answer.status_code, fields_of(answer.json())) == (422, ["table"])


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("table", "peo\0ple"),
        ("etl_name", "night\0ly"),
        ("null_values", "NA,\0"),
        ("encoding", "utf-8\0"),
        ("date_format", "%d.%m.%Y\0"),
        ("key", "na\0me"),
        ("email", "ann\0@example.com"),
        ("mapping", '{"name": "na\\u0000me"}'),
        ("mapping", '{"na\\ud800me": null}'),
        ("max_errors", str(10**30)),
    ],
)
async def test_text_that_cannot_be_stored_names_its_form_field(
    ingest: Ingest, field: str, text: str
) -> None:
    form = {"table": "people", field: text}
    if field == "key":
        form["mode"] = "upsert"
    answer = await ingest.http.post(
        "/api/imports",
        data=form,
        files={"file": ("people.csv", CSV)},
        headers=ingest.issuer.bearer(ANN),
    )
    assert answer.status_code == 422, answer.text
    assert fields_of(answer.json()) == [field]
    assert ingest.stored() == []


async def test_nul_in_the_older_upload_names_its_field(ingest: Ingest) -> None:
    answer = await ingest.upload(CSV, path="/api/upload-csv", table_name="peo\0ple")
    assert (answer.status_code, fields_of(answer.json())) == (422, ["table_name"])


@pytest.mark.parametrize("key", ["", "x" * 256, "\xe9", "a\tb"])
async def test_a_key_that_is_none_is_refused(ingest: Ingest, key: str) -> None:
    headers = ingest.issuer.bearer(ANN) | {"Idempotency-Key": key}
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = await ingest.http.post(
        "/api/imports",
        data={"table": "people"},
        files={"file": ("people.csv", CSV)},
        headers=raw,
    )
    assert (answer.status_code, fields_of(answer.json())) == (422, ["Idempotency-Key"])
