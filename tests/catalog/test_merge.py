"""Bulk merges of triples and of scanned databases: all or nothing, and nothing is ever lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from services.catalog.errors import LineRefusedError
from services.catalog.pipeline.lines import blocks_of_lines
from tests.catalog.conftest import Catalog
from tests.support.issuer import peer, person
from tests.support.profile import only_in_full


def triple(etl: str | None, schema: str, table: str, **more: Any) -> dict[str, Any]:
    named = {} if etl is None else {"etl_name": etl}
    return {**named, "schema_name": schema, "table_name": table, **more}


def ndjson(*items: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in items)


def scanned(name: str, *columns: tuple[str, str], rows: int | None = None) -> dict[str, Any]:
    return {
        "schema_name": "public",
        "table_name": name,
        "columns": [{"name": n, "type": t, "nullable": True} for n, t in columns],
        "estimated_rows": rows,
    }


async def merge(catalog: Catalog, content: Any, **params: Any) -> dict[str, Any]:
    answer = await catalog.stream("merge", content, **{"import_id": 1, **params})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def counts(catalog: Catalog) -> tuple[int, ...]:
    [row] = await catalog.rows(
        "SELECT (SELECT count(*) FROM catalog.etls), (SELECT count(*) FROM catalog.schemas),"
        " (SELECT count(*) FROM catalog.tables), (SELECT count(*) FROM catalog.edges)"
    )
    return row


async def test_triples_make_what_they_name(catalog: Catalog) -> None:
    body = await merge(
        catalog,
        ndjson(triple("e", "s", "t"), triple("e", "s/2", "таб %"), triple("f", "s", "t")),
        import_id=7,
    )

    assert (body["received"], body["inserted"], body["known"]) == (3, 3, 0)
    assert await catalog.tables_of("e") == [("s", "t"), ("s/2", "таб %")]
    [edge] = (await catalog.table("s/2", "таб %"))["etls"]
    assert (edge["first_import"], edge["last_import"]) == (7, 7)
    assert edge["first_seen"] == body["merged_at"]


async def test_new_and_known_tables_and_edges_meet_in_one_load(catalog: Catalog) -> None:
    first = [triple("e", "s", f"t{n}") for n in range(20)]
    await merge(catalog, ndjson(*first), import_id=1)
    second = [triple(etl, "s", f"t{n}") for n in range(10, 40) for etl in ("f", "e", "d")]
    body = await merge(catalog, ndjson(*second, *second), import_id=2)

    assert (body["received"], body["inserted"], body["known"]) == (180, 80, 10)
    assert await counts(catalog) == (3, 1, 40, 100)
    fed_by = await catalog.rows(
        "SELECT t.name, array_agg(etl.name ORDER BY etl.name), min(e.first_import),"
        " max(e.last_import) FROM catalog.edges e JOIN catalog.tables t ON t.id = e.table_id"
        " JOIN catalog.etls etl ON etl.id = e.etl_id GROUP BY 1"
    )
    assert {name: (etls, first, last) for name, etls, first, last in fed_by} == {
        **{f"t{n}": (["e"], 1, 1) for n in range(10)},
        **{f"t{n}": (["d", "e", "f"], 1, 2) for n in range(10, 20)},
        **{f"t{n}": (["d", "e", "f"], 2, 2) for n in range(20, 40)},
    }


async def test_lines_that_repeat_others_are_received_and_no_more(catalog: Catalog) -> None:
    body = await merge(catalog, ndjson(*[triple("e", "s", "t")] * 5))

    assert (body["received"], body["inserted"], body["known"]) == (5, 1, 0)


async def test_loading_again_adds_nothing_and_says_when_and_by_what_it_was_seen(
    catalog: Catalog,
) -> None:
    content = ndjson(*(triple("e", "s", f"t{n}") for n in range(50)))
    first = await merge(catalog, content, import_id=1)
    second = await merge(catalog, content, import_id=2)

    assert (second["received"], second["inserted"], second["known"]) == (50, 0, 50)
    assert await counts(catalog) == (1, 1, 50, 50)
    edge = (await catalog.table("s", "t7"))["etls"][0]
    assert (edge["first_import"], edge["last_import"]) == (1, 2)
    assert (edge["first_seen"], edge["last_seen"]) == (first["merged_at"], second["merged_at"])


async def test_the_same_import_again_changes_nothing(catalog: Catalog) -> None:
    content = ndjson(triple("e", "s", "t"), triple("e", "s", "u"))
    await merge(catalog, content, import_id=3)
    before = await catalog.rows("SELECT * FROM catalog.edges ORDER BY table_id")

    body = await merge(catalog, content, import_id=3)

    assert (body["inserted"], body["known"]) == (0, 2)
    assert await catalog.rows("SELECT * FROM catalog.edges ORDER BY table_id") == before


async def test_a_load_without_an_old_edge_keeps_it(catalog: Catalog) -> None:
    await merge(catalog, ndjson(triple("e", "s", "old")), import_id=1)
    await merge(catalog, ndjson(triple("e", "s", "new")), import_id=2)

    assert await catalog.tables_of("e") == [("s", "new"), ("s", "old")]


async def test_lines_without_an_etl_take_the_calls(catalog: Catalog) -> None:
    await merge(
        catalog,
        ndjson(
            triple(None, "s", "t"),
            triple("own", "s", "t"),
            {**triple("", "s", "u")} | {"etl_name": None},
        ),
        etl="shared",
    )

    assert await catalog.tables_of("shared") == [("s", "t"), ("s", "u")]
    assert await catalog.tables_of("own") == [("s", "t")]


async def test_an_empty_stream_leaves_the_etl_without_tables(catalog: Catalog) -> None:
    body = await merge(catalog, b"", etl="idle")

    assert (body["received"], body["inserted"], body["known"]) == (0, 0, 0)
    assert await catalog.tables_of("idle") == []


async def test_blank_lines_and_a_missing_last_line_end_do_no_harm(catalog: Catalog) -> None:
    content = b"\n\r\n" + ndjson(triple("e", "s", "t")) + b"  \n" + ndjson(triple("e", "s", "u"))

    assert (await merge(catalog, content.rstrip()))["received"] == 2


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        (b'{"etl_name":"e","schema_name":"s"}', "line 3.table_name", "missing"),
        (b'{"etl_name":"e","schema_name":"","table_name":"t"}', "line 3.schema_name", None),
        (b'{"etl_name":"e","schema_name":" ","table_name":"t"}', "line 3.schema_name", None),
        (b'{"etl_name":"e","schema_name":"a\\u0000","table_name":"t"}', "line 3.schema_name", None),
        (b'{"etl_name":"e","schema_name":5,"table_name":"t"}', "line 3.schema_name", None),
        (b'{"etl_name":"e","schema_name":"s","table_name":"t","x":1}', "line 3.x", None),
        (b'{"schema_name":"s","table_name":"t"}', "line 3.etl_name", "missing"),
        (b'{"etl_name":"e","schema_name":"\\ud800","table_name":"t"}', "line 3", "json_invalid"),
        (b'{"etl_name":"\xff","schema_name":"s","table_name":"t"}', "line 3", "json_invalid"),
        (b"[]", "line 3", None),
        (b"{}, {}", "line 3", "json_invalid"),
        (b"{", "line 3", "json_invalid"),
    ],
)
async def test_one_bad_line_is_named_and_nothing_is_kept(
    catalog: Catalog, line: bytes, field: str, code: str | None
) -> None:
    good = ndjson(triple("e", "s", "t"))
    answer = await catalog.stream("merge", good + b"\n" + line + b"\n" + good, import_id=1)

    assert answer.status_code == 422
    assert answer.json()["code"] == "line_refused"
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert code is None or error["code"] == code
    assert await counts(catalog) == (0, 0, 0, 0)


async def test_two_objects_on_one_line_are_refused(catalog: Catalog) -> None:
    one = ndjson(triple("e", "s", "t")).strip()
    answer = await catalog.stream("merge", one + b"," + one + b"\n", import_id=1)

    assert (answer.status_code, answer.json()["code"]) == (422, "line_refused")


@only_in_full
async def test_a_bad_line_far_down_the_stream_is_counted_right(catalog: Catalog) -> None:
    async def content() -> AsyncIterator[bytes]:
        for number in range(30_000):
            yield ndjson(triple("e", f"schema {number % 9}", f"a rather long name {number}"))
        yield b"{}\n"

    answer = await catalog.stream("merge", content(), import_id=1)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "line 30001.schema_name"
    assert await counts(catalog) == (0, 0, 0, 0)


@only_in_full
async def test_a_broken_stream_merges_nothing(catalog: Catalog) -> None:
    broken = asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        for number in range(40_000):
            yield ndjson(triple("e", "s", f"a rather long name {number}"))
        broken.set()
        raise ConnectionResetError("the sender died")

    with pytest.raises((ConnectionResetError, httpx2.TransportError)):
        await catalog.stream("merge", content(), import_id=1)

    assert broken.is_set()
    # Both merges that may run at a time must be free again for these to end.
    await asyncio.gather(*(merge(catalog, ndjson(triple("f", "s", f"t{n}"))) for n in range(3)))
    assert [row[0] for row in await catalog.rows("SELECT name FROM catalog.etls")] == ["f"]


async def test_a_line_without_end_does_not_fill_the_memory() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    with pytest.raises(LineRefusedError) as refusal:
        async for _ in blocks_of_lines(endless(), line_limit_bytes=3 << 20):
            pass

    assert refusal.value.errors[0].code == "too_long"


@pytest.mark.parametrize("size", [1, 7, 65536])
async def test_blocks_hold_every_line_once_however_the_bytes_come(size: int) -> None:
    content = b"".join(b"line %d %s\n" % (n, b"x" * (n % 50)) for n in range(60_000))[:-1]

    async def chunks() -> AsyncIterator[bytes]:
        step = size if size > 1 else 4096 + size
        for start in range(0, len(content), step):
            yield content[start : start + step]

    found: list[bytes] = []
    async for block in blocks_of_lines(chunks()):
        assert block.first == len(found) + 1
        found += block.lines
    assert b"\n".join(found) == content


@only_in_full
async def test_merges_of_the_same_names_at_once_do_not_hold_each_other_up(
    catalog: Catalog,
) -> None:
    names = [triple(f"e{n % 7}", f"s{n % 5}", f"t{n}") for n in range(2000)]
    answers = await asyncio.gather(
        merge(catalog, ndjson(*names), import_id=1),
        merge(catalog, ndjson(*reversed(names)), import_id=2),
        *(catalog.see_edge(f"e{n % 7}", f"s{n % 5}", f"t{n}", import_id=3) for n in range(40)),
    )

    assert await counts(catalog) == (7, 5, 2000, 2000)
    assert sum(answer["inserted"] for answer in answers if answer) <= 2000


async def test_a_rename_in_mid_merge_waits_and_takes_the_edges_along(catalog: Catalog) -> None:
    await catalog.see_table("created", "a", minute=0)
    names = [triple(f"e{n}", "data", "a") for n in range(3000)]

    await asyncio.gather(
        merge(catalog, ndjson(*names)),
        catalog.see_table("renamed", "a", minute=1, new_name="b"),
    )

    tables = await catalog.rows(
        "SELECT t.name, count(*) FROM catalog.edges e JOIN catalog.tables t ON t.id = e.table_id"
        " GROUP BY 1"
    )
    assert sum(count for _, count in tables) == 3000
    assert len(tables) == 1


async def scan(catalog: Catalog, *tables: dict[str, Any], **params: Any) -> dict[str, Any]:
    content = ndjson(*tables)
    answer = await catalog.stream("scan", content, **{"import_id": 1, "etl": "pg", **params})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_scan_brings_columns_types_and_estimates(catalog: Catalog) -> None:
    body = await scan(
        catalog,
        scanned("Orders", ("id", "bigint"), ("Größe", "NUMBER(10,2)"), rows=120),
        scanned("empty"),
    )

    assert (body["received"], body["inserted"], body["known"]) == (2, 2, 0)
    table = await catalog.table("public", "Orders", caller=person("bob@example.com"))
    assert [(c["name"], c["type"], c["nullable"]) for c in table["columns"]] == [
        ("id", "bigint", True),
        ("Größe", "NUMBER(10,2)", True),
    ]
    assert (table["columns_from"], table["scanned_by"]) == ("scan", "pg")
    assert (table["estimated_rows"], table["scanned_at"]) == (120, body["merged_at"])
    assert (await catalog.table("public", "empty"))["columns"] == []


async def test_a_newer_scan_tells_the_columns_and_removes_no_table(catalog: Catalog) -> None:
    await scan(catalog, scanned("a", ("old", "text"), rows=5), scanned("b", ("x", "text")))
    body = await scan(catalog, scanned("a", ("new", "int")), import_id=2)

    assert (body["inserted"], body["known"]) == (0, 1)
    a = await catalog.table("public", "a")
    assert ([c["name"] for c in a["columns"]], a["estimated_rows"]) == (["new"], None)
    assert await catalog.tables_of("pg") == [("public", "a"), ("public", "b")]


async def test_each_etl_keeps_what_it_scanned_and_the_newest_is_shown(catalog: Catalog) -> None:
    await scan(catalog, scanned("a", ("north", "text"), rows=1), etl="north")
    await scan(catalog, scanned("a", ("south", "text"), rows=2), etl="south")
    await merge(catalog, ndjson(triple("south", "public", "a")), import_id=3)

    table = await catalog.table("public", "a")
    assert [(etl["name"], etl["estimated_rows"]) for etl in table["etls"]] == [
        ("north", 1),
        ("south", 2),
    ]
    assert (table["scanned_by"], table["columns"][0]["name"]) == ("south", "south")


async def test_of_two_lines_for_one_table_the_later_counts(catalog: Catalog) -> None:
    await scan(catalog, scanned("a", ("first", "text")), scanned("a", ("second", "text")))

    assert [c["name"] for c in (await catalog.table("public", "a"))["columns"]] == ["second"]


async def test_one_bad_table_spoils_the_scan(catalog: Catalog) -> None:
    bad = scanned("b", ("", "text"))
    answer = await catalog.stream(
        "scan", ndjson(scanned("a", ("x", "text")), bad), import_id=1, etl="pg"
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "line_refused")
    assert answer.json()["errors"][0]["field"] == "line 2.columns.0.name"
    assert await counts(catalog) == (0, 0, 0, 0)


async def test_a_scan_that_met_our_own_schema_shows_columns_to_nobody_else(
    catalog: Catalog,
) -> None:
    await scan(catalog, scanned("secret", ("salary", "int")) | {"schema_name": "data"})

    assert (await catalog.table("data", "secret"))["columns"] is None


async def test_only_services_merge(catalog: Catalog) -> None:
    for path in ("merge", "scan"):
        answer = await catalog.stream(
            path, b"", caller=person("eve@example.com"), import_id=1, etl="x"
        )
        assert answer.status_code == 403


@pytest.mark.parametrize("params", [{}, {"import_id": 0}, {"import_id": 1, "etl": "\0"}])
async def test_a_merge_says_for_which_import(catalog: Catalog, params: dict[str, Any]) -> None:
    answer = await catalog.stream("merge", b"", caller=peer("ingest"), **params)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_edges_seen_again_are_updated_without_telling_the_indexes(catalog: Catalog) -> None:
    content = ndjson(*(triple(f"e{n % 3}", "s", f"t{n}") for n in range(2000)))
    sizes = (
        "SELECT pg_relation_size('catalog.pk_edges'), pg_relation_size('catalog.ix_edges_table_id')"
    )
    await merge(catalog, content, import_id=1)
    before = await catalog.rows(sizes)
    await merge(catalog, content, import_id=2)

    assert await catalog.rows("SELECT DISTINCT last_import FROM catalog.edges") == [(2,)]
    assert await catalog.rows(sizes) == before
