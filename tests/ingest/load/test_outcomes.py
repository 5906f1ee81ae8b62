"""What a load says of itself: success means that rows are in, and reasons are given in sum."""

from dataclasses import replace

import pytest

from services.ingest.domain.options import ImportOptions, Mode
from services.ingest.domain.outcome import Reason, RejectCode
from services.ingest.errors import NoRowFitsError, NothingToReplaceWithError
from tests.ingest.load.loading import Loader, columns

REPLACE = ImportOptions(mode=Mode.REPLACE)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE, Mode.UPSERT])
async def test_a_load_whose_rows_were_all_refused_fails(
    load: Loader, mode: Mode, *, dry_run: bool
) -> None:
    await load.make_table("t", columns(sku="TEXT UNIQUE", price="NUMERIC(10,2)"))
    await load.load("t", "sku,price\nA,1.50\nB,2.50\n")
    load.rejects.kept.clear()
    load.fenced.clear()
    options = ImportOptions(mode=mode, dry_run=dry_run, key=("sku",) * (mode is Mode.UPSERT))
    with pytest.raises(NoRowFitsError, match=r"all 2 rows .* type_mismatch in price .* line 2"):
        await load.load("t", "sku,price\nC,EUR 1.50\nD,EUR 2.50\n", options=options)
    assert await load.rows("t", "sku") == [("A",), ("B",)]
    assert [line for line, *_ in load.rejects.reasons] == [2, 3]
    assert load.fenced == []


@pytest.mark.parametrize(("name", "data"), [("a.csv", "sku,price\n"), ("a.json", "[]")])
async def test_a_replace_never_empties_a_table_unless_somebody_says_so(
    load: Loader, name: str, data: str
) -> None:
    await load.make_table("t", columns(sku="TEXT", price="NUMERIC(10,2)"))
    assert (await load.load("t", data, file_name=name, options=REPLACE)).rows.loaded == 0
    await load.load("t", "sku,price\nA,1.50\n")
    for options in (REPLACE, replace(REPLACE, dry_run=True)):
        with pytest.raises(NothingToReplaceWithError, match="the table's 1 with"):
            await load.load("t", data, file_name=name, options=options)
    assert len(await load.rows("t")) == 1
    options = replace(REPLACE, allow_empty=True)
    assert (await load.load("t", data, file_name=name, options=options)).rows.loaded == 0
    assert await load.rows("t") == []


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_replace_names_the_columns_that_its_file_has_not(
    load: Loader, *, dry_run: bool
) -> None:
    await load.make_table("t", columns(a="TEXT", b="TEXT", c="INTEGER"))
    assert (await load.load("t", "b\nx\n")).inferred == ()
    outcome = await load.load("t", "b\ny\n", options=replace(REPLACE, dry_run=dry_run))
    assert [(each.column, each.type) for each in outcome.inferred] == [
        ("a", "missing"),
        ("c", "missing"),
    ]


async def test_reasons_in_sum(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT NOT NULL"))
    outcome = await load.load("t", "a,b\n1,x\ny,\nz,1\n4\nw,2\n")
    assert outcome.reasons == (
        Reason("a", RejectCode.TYPE_MISMATCH, 3, 3),
        Reason("b", RejectCode.NOT_NULL, 1, 3),
        Reason(None, RejectCode.TOO_FEW_FIELDS, 1, 5),
    )
    await load.make_table("u", columns(k="INTEGER UNIQUE"))
    # The reasons are those of the reading that counts.
    outcome = await load.load("u", "k\n1\n1\nx\n")
    assert outcome.reasons == (
        Reason("k", RejectCode.DUPLICATE_IN_FILE, 1, 3),
        Reason("k", RejectCode.TYPE_MISMATCH, 1, 4),
    )
