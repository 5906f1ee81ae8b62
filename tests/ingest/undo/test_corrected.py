"""The undo of an import takes its corrections along, whatever they did."""

from typing import Any

import pytest

from tests.ingest.driving import Ingest
from tests.ingest.undo.test_undo import loaded, rows, undoing, undone
from tests.ingest.work.test_corrections import corrected_by_rows
from tests.support.profile import only_in_full

__all__ = ["undoing"]


@pytest.mark.parametrize("options", [{}, {"mode": "upsert", "key": "name"}, {"mode": "replace"}])
async def test_corrected_rows_go_with_their_import(
    undoing: Ingest, options: dict[str, Any]
) -> None:
    await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    before = await rows(undoing)
    first = await loaded(undoing, "name,age\nBobby,old\nCat,3\nDan,x\n", **options)
    done = await corrected_by_rows(undoing, first, (2, {"name": "Ben", "age": 20}))
    assert done["state"] == "succeeded", done["error"]
    await undone(undoing, first)
    assert await rows(undoing) == before


@only_in_full
async def test_what_a_correction_of_an_upsert_overwrote_comes_back(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    before = await rows(undoing)
    first = await loaded(undoing, "name,age\nAnn,10\nBob,old\n", mode="upsert", key="name")
    done = await corrected_by_rows(undoing, first, (3, {"age": 20}))
    assert done["rows"]["updated"] == 1
    assert [row[2:] for row in await rows(undoing)] == [("Ann", 10), ("Bob", 20)]
    await undone(undoing, first)
    assert await rows(undoing) == before
