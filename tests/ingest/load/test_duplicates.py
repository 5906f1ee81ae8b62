"""Rows that a unique key forbids: named, and no clean row lost for them."""

import asyncio

import pytest

from services.ingest.domain.options import ImportOptions, Mode, OnError
from services.ingest.domain.outcome import Outcome, RowCounts
from services.ingest.errors import KeyNotInFileError, OptionError, RowRefusedError
from tests.ingest.load.loading import Column, Loader, columns
from tests.support.profile import only_in_full

UPSERT = ImportOptions(mode=Mode.UPSERT, key=("email",))


async def people(load: Loader) -> None:
    await load.make_table("people", columns(email="TEXT UNIQUE", age="INTEGER"))
    await load.owner.execute("INSERT INTO data.people (email, age) VALUES ('old@x', 1)")


async def test_duplicates_name_the_first_line_or_the_record(load: Loader) -> None:
    await people(load)
    data = "email,age\na@x,1\nold@x,2\na@x,3\n,4\n,5\nb@x,x\nb@x,7\nold@x,8\n"
    outcome = await load.load("people", data)
    assert await load.rows("people", "email, age") == [
        ("old@x", 1), ("a@x", 1), (None, 4), (None, 5), ("b@x", 7),
    ]  # fmt: skip
    assert load.rejects.reasons == [
        (3, "email", "duplicate_in_table"),
        (4, "email", "duplicate_in_file"),
        (7, "age", "type_mismatch"),
        (9, "email", "duplicate_in_table"),
    ]
    messages = [reject.message for reject in load.rejects.kept]
    assert messages[0] == "email 'old@x' is in the table already (id 1)"
    assert messages[1] == "email 'a@x' is on line 2 already"
    assert [row["email"] for row in load.rejects.rows] == ["old@x", "a@x", "b@x", "old@x"]
    assert outcome.rows == RowCounts(read=8, loaded=4, rejected=4, inserted=4)


async def test_a_row_whose_rival_is_refused_for_another_key_is_loaded(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER UNIQUE", b="TEXT UNIQUE", c="TEXT"))
    await load.owner.execute("INSERT INTO data.t (a, b) VALUES (1, 'one')")
    # Line 3 falls to line 2 by `b`; so line 4, which has its `a`, is free; line 5 is not.
    await load.load("t", "a,b,c\n2,x,\n3,x,\n3,y,\n4,y,\n5,one,\n5,z,\n")
    assert await load.rows("t", "a, b") == [(1, "one"), (2, "x"), (3, "y"), (5, "z")]
    assert load.rejects.reasons == [
        (3, "b", "duplicate_in_file"),
        (5, "b", "duplicate_in_file"),
        (6, "b", "duplicate_in_table"),
    ]


async def test_keys_of_several_columns_and_of_other_types(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC", b="DATE", c="TEXT"))
    await load.owner.execute("ALTER TABLE data.t ADD UNIQUE (a, b)")
    await load.load("t", "a,b,c\n1.0,2024-01-01,x\n1.00,2024-01-01,y\n1,2024-01-02,z\n1,,p\n1,,q\n")
    assert [row[0] for row in await load.rows("t", "c")] == ["x", "z", "p", "q"]
    assert load.rejects.reasons == [(3, "a, b", "duplicate_in_file")]


async def test_abort_names_the_first_duplicate(load: Loader) -> None:
    await people(load)
    with pytest.raises(RowRefusedError, match=r"line 3, column email: .* line 2"):
        await load.load(
            "people", "email,age\na@x,1\na@x,2\n", options=ImportOptions(on_error=OnError.ABORT)
        )
    assert len(await load.rows("people")) == 1


@only_in_full
async def test_many_duplicates_over_many_blocks(load: Loader) -> None:
    await load.make_table("t", columns(k="TEXT UNIQUE", filler="TEXT"))
    lines = [f"k{n // 3},{'x' * 200}" for n in range(60_000)]
    outcome = await load.load("t", "k,filler\n" + "\n".join(lines) + "\n")
    assert outcome.rows == RowCounts(read=60_000, loaded=20_000, rejected=40_000, inserted=20_000)
    assert len(load.rejects.kept) == 1000
    rows = load.rejects.rows
    assert len(rows) == 40_000
    assert rows[-1]["_message"] == "k 'k19999' is on line 59999 already"
    assert len(await load.rows("t", "k")) == 20_000


async def test_a_unique_default_is_explained(load: Loader) -> None:
    await load.make_table("t", Column("a", "INTEGER", unique=True, default="5"), columns(b="TEXT"))
    with pytest.raises(KeyNotInFileError):
        await load.load("t", "b\nx\ny\n")
    assert await load.rows("t") == []


async def test_upsert_updates_by_key_and_inserts_the_rest(load: Loader) -> None:
    await people(load)
    data = "email,age\nold@x,2\nnew@x,3\nold@x,4\nbad@x,x\n"
    outcome = await load.load("people", data, options=UPSERT)
    assert await load.rows("people", "email, age, _import, _version") == [
        ("old@x", 2, 7, 2),
        ("new@x", 3, 7, 1),
    ]
    assert outcome.rows == RowCounts(read=4, loaded=2, rejected=2, inserted=1, updated=1)
    assert load.rejects.reasons == [
        (4, "email", "duplicate_in_file"),
        (5, "age", "type_mismatch"),
    ]


async def test_upsert_leaves_columns_that_are_not_in_the_file(load: Loader) -> None:
    await load.make_table("t", columns(email="TEXT UNIQUE", a="TEXT", b="TEXT"))
    await load.owner.execute("INSERT INTO data.t (email, a, b) VALUES ('x', 'a', 'b')")
    await load.load("t", "email,a\nx,new\n", options=UPSERT)
    assert await load.rows("t", "a, b") == [("new", "b")]


async def test_upsert_refuses_what_another_key_forbids(load: Loader) -> None:
    await load.make_table("t", columns(email="TEXT UNIQUE", nick="TEXT UNIQUE"))
    await load.owner.execute("INSERT INTO data.t (email, nick) VALUES ('a', 'A'), ('b', 'B')")
    outcome = await load.load("t", "email,nick\na,A\nc,B\nd,D\ne,D\n", options=UPSERT)
    assert await load.rows("t", "email, nick") == [("a", "A"), ("b", "B"), ("d", "D")]
    assert load.rejects.reasons == [
        (3, "nick", "duplicate_in_table"),
        (5, "nick", "duplicate_in_file"),
    ]
    assert outcome.rows == RowCounts(read=4, loaded=2, rejected=2, inserted=1, updated=1)


async def test_upsert_by_id_moves_the_sequence_on(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT"))
    await load.owner.execute("INSERT INTO data.t (a) VALUES ('one')")
    by_id = ImportOptions(mode=Mode.UPSERT, key=("id",))
    outcome = await load.load("t", "id,a\n1,uno\n50,fifty\n,x\n", options=by_id)
    assert (outcome.rows.inserted, outcome.rows.updated, outcome.rows.rejected) == (1, 1, 1)
    assert load.rejects.reasons == [(4, "id", "not_null")]
    await load.owner.execute("INSERT INTO data.t (a) VALUES ('next')")
    assert await load.rows("t", "id, a") == [(1, "uno"), (50, "fifty"), (51, "next")]


async def test_upsert_needs_a_unique_key(load: Loader) -> None:
    await people(load)
    for key in ((), ("age",), ("nothing",)):
        with pytest.raises(OptionError):
            await load.load(
                "people", "email,age\n", options=ImportOptions(mode=Mode.UPSERT, key=key)
            )


async def test_replace_shows_readers_the_old_rows_until_commit(load: Loader) -> None:
    await people(load)
    seen: list[str] = []

    async def look(_outcome: Outcome) -> None:
        seen.extend(row[0] for row in await load.rows("people", "email"))

    load.at_fence = look
    outcome = await load.load(
        "people", "email,age\nold@x,9\nc@x,1\nc@x,2\n", options=ImportOptions(mode=Mode.REPLACE)
    )
    assert seen == ["old@x"]
    assert await load.rows("people", "email, age") == [("old@x", 9), ("c@x", 1)]
    assert load.rejects.reasons == [(4, "email", "duplicate_in_file")]
    assert outcome.rows == RowCounts(read=3, loaded=2, rejected=1, inserted=2, deleted=1)


async def test_a_dry_run_reports_all_and_changes_nothing(load: Loader) -> None:
    await people(load)
    data = "email,age\na@x,1\na@x,2\nold@x,3\nb@x,x\n"
    for mode, inserted, updated in ((Mode.APPEND, 1, 0), (Mode.REPLACE, 2, 0), (Mode.UPSERT, 1, 1)):
        await load.rejects.restart()
        key = ("email",) if mode is Mode.UPSERT else ()
        outcome = await load.load(
            "people", data, options=ImportOptions(mode=mode, key=key, dry_run=True)
        )
        assert (outcome.rows.inserted, outcome.rows.updated) == (inserted, updated)
        assert outcome.rows.rejected == 4 - inserted - updated
    assert load.fenced == []
    assert await load.rows("people", "email, age") == [("old@x", 1)]


@only_in_full
async def test_two_imports_with_crossed_keys_both_end(load: Loader) -> None:
    await load.make_table("t", columns(k="INTEGER UNIQUE", filler="TEXT"))
    filler = "y" * 200
    # Each has a row of its own: one whose rows are all refused fails.
    up = "k,filler\n" + "".join(f"{n},{filler}\n" for n in range(-1, 40_000))
    down = "k,filler\n" + "".join(f"{n},{filler}\n" for n in reversed(range(40_001)))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(load.load("t", up))
        other = Loader(pool=load.pool, owner=load.owner)
        second = group.create_task(other.load("t", down))
    loaded = first.result().rows.loaded + second.result().rows.loaded
    rejected = first.result().rows.rejected + second.result().rows.rejected
    assert (loaded, rejected) == (40_002, 40_000)
    assert await load.owner.fetchval("SELECT count(*) FROM data.t") == 40_002
