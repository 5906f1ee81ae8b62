"""Upserts: what a row leaves out stays as it is, and which of several rows with one key counts."""

import pytest

from services.ingest.domain.options import (
    ImportOptions,
    Mode,
    OnBlank,
    OnDuplicate,
)
from services.ingest.domain.outcome import RowCounts
from tests.ingest.load.loading import Loader, columns

BY_EMAIL = ImportOptions(mode=Mode.UPSERT, key=("email",))
CONTACTS = "email,first,phone\nann@x.com,Ann,+491\nbob@x.com,Bob,+492\n"


async def contacts(load: Loader) -> list[tuple[str | None, ...]]:
    return await load.rows("t", "email, first, phone")


@pytest.fixture(params=["array", "lines", "long"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_keys_that_an_element_has_not_leave_the_record_alone(load: Loader, kind: str) -> None:
    await load.make_table("t", columns(email="TEXT UNIQUE", first="TEXT", phone="TEXT"))
    await load.load("t", CONTACTS)
    elements = [
        '{"email": "ann@x.com", "phone": "+499"}',
        '{"email": "bob@x.com", "first": "Robert"}',
        r'{"email": "new@x.com", "first": "\"phone\": 1"}',
    ]
    if kind == "long":  # behind enough of them to be read by polars
        more = '{{"email": "x{}@x.com", "first": "x", "phone": "y"}}'
        elements = [*(more.format(n) for n in range(3_000)), *elements]
    data = f"[{','.join(elements)}]" if kind == "array" else "\n".join(elements)
    outcome = await load.load("t", data, file_name="x.ndjson", options=BY_EMAIL)
    assert outcome.rows.updated == 2
    rows = {row[0]: row[1:] for row in await contacts(load)}
    assert rows["ann@x.com"] == ("Ann", "+499")
    assert rows["bob@x.com"] == ("Robert", "+492")
    assert rows["new@x.com"] == ('"phone": 1', None)
    clear = '[{"email": "ann@x.com", "first": null}, {"email": "bob@x.com", "phone": null}]'
    await load.load("t", clear, file_name="x.json", options=BY_EMAIL)
    rows = {row[0]: row[1:] for row in await contacts(load)}
    assert rows["ann@x.com"] == (None, "+499")
    assert rows["bob@x.com"] == ("Robert", None)


async def test_blank_cells_clear_or_keep(load: Loader) -> None:
    await load.make_table("t", columns(email="TEXT UNIQUE", first="TEXT", n="INTEGER"))
    await load.load("t", "email,first,n\na,Ann,1\nb,Bob,2\nc,Cat,3\n")
    data = 'email,first,n\na,,NA\nb,"", \nc,X,\nd,,4\n'
    keep = ImportOptions(
        mode=Mode.UPSERT, key=("email",), on_blank=OnBlank.KEEP, null_values=("NA",)
    )
    await load.load("t", data, options=keep)
    assert await load.rows("t", "email, first, n") == [
        ("a", "Ann", None), ("b", "", 2), ("c", "X", 3), ("d", None, 4),
    ]  # fmt: skip
    await load.load("t", "email,first,n\nc,,\n", options=BY_EMAIL)
    assert (await load.rows("t", "first, n"))[2] == (None, None)


@pytest.mark.parametrize(
    ("which", "stock", "counts"),
    [
        (OnDuplicate.REFUSE, 5, RowCounts(read=4, loaded=2, rejected=2, inserted=2)),
        (OnDuplicate.FIRST, 5, RowCounts(read=4, loaded=2, inserted=2)),
        (OnDuplicate.LAST, 9, RowCounts(read=4, loaded=2, inserted=2)),
    ],
)
async def test_of_several_rows_with_one_key_the_caller_chooses(
    load: Loader, which: OnDuplicate, stock: int, counts: RowCounts
) -> None:
    await load.make_table("t", columns(sku="TEXT UNIQUE", stock="INTEGER"))
    options = ImportOptions(mode=Mode.UPSERT, key=("sku",), on_duplicate=which)
    outcome = await load.load("t", "sku,stock\nA,5\nB,1\nA,7\nA,9\n", options=options)
    assert outcome.rows == counts
    assert sorted(await load.rows("t", "sku, stock")) == [("A", stock), ("B", 1)]


async def test_composite_keys(load: Loader) -> None:
    await load.make_table("t", columns(day="DATE", campaign="TEXT", clicks="INTEGER"))
    await load.owner.execute("ALTER TABLE data.t ADD UNIQUE (day, campaign)")
    options = ImportOptions(mode=Mode.UPSERT, key=("day", "campaign"))
    first = "day,campaign,clicks\n2024-03-01,Brand,10\n2024-03-01,Generic,5\n"
    await load.load("t", first, options=options)
    second = "day,campaign,clicks\n2024-03-01,Brand,11\n2024-03-02,Brand,7\n"
    outcome = await load.load("t", second, options=options)
    assert (outcome.rows.inserted, outcome.rows.updated) == (1, 1)
    assert [row[0] for row in await load.rows("t", "clicks")] == [11, 5, 7]


async def test_loads_into_tables_of_other_types_follow_each_other(load: Loader) -> None:
    """Statements are kept by connection, and their temporary tables have the same names."""
    cells = {
        "INTEGER": ("1", "2", "3"),
        "TEXT": ("x", "y", "z"),
        "DATE": ("2024-01-01", "2024-01-02", "2024-01-03"),
        "NUMERIC(5,1)": ("1.5", "2.5", "3.5"),
    }
    for turn in range(8):  # PostgreSQL keeps a plan from the sixth time on
        kind = list(cells)[turn % len(cells)]
        one, two, three = cells[kind]
        name = f"t{turn}"
        await load.make_table(name, columns(a=f"{kind} UNIQUE", b=f"{kind} UNIQUE", n="TEXT"))
        data = f"a,b,n\n{one},{one},first\n{two},{one},\n{two},{two},\n{two},{three},\n"
        appended = await load.load(name, data)
        assert (appended.rows.inserted, appended.rows.rejected) == (2, 2)
        by_a = ImportOptions(mode=Mode.UPSERT, key=("a",), on_duplicate=OnDuplicate.LAST)
        data = f"a,n\n{one},second\n{one},third\n{three},new\n"
        merged = await load.load(name, data, options=by_a)
        assert (merged.rows.updated, merged.rows.inserted) == (1, 1)
        assert await load.rows(name, "n") == [("third",), (None,), ("new",)]
