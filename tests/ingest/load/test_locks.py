"""A table that others hold: the import that waits for it says who."""

import pytest

from services.ingest.domain.outcome import Outcome, RowCounts
from services.ingest.errors import TableLockedError
from services.ingest.load.target import Target
from services.ingest.load.transaction import Transaction
from shared.contracts.ingest import load_name
from tests.ingest.load.loading import Loader, columns

WAIT_S = 0.2


async def nothing(_target: Target) -> Outcome:
    return Outcome(rows=RowCounts(), bytes_read=0, format=None)


async def no_restart() -> None:
    raise AssertionError("nothing was read yet")


async def refusal(load: Loader) -> str:
    outside, contract = load.outside("people"), await load.contract("people")
    waiting = Transaction(outside, contract, alone=True, lock_timeout_s=WAIT_S)
    with pytest.raises(TableLockedError) as caught:
        await waiting.run(nothing, restart=no_restart)
    return caught.value.detail


async def test_an_import_that_is_in_the_way_is_named(load: Loader) -> None:
    await load.make_table("people", columns(name="TEXT"))
    async with load.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT set_config('application_name', $1, true)", load_name(4711))
        await holder.execute("LOCK TABLE data.people IN ROW EXCLUSIVE MODE")
        assert await refusal(load) == (
            "people was locked for 0.2 s by import 4711: try again when that is done;"
            " the table's owner can cancel it"
        )


async def test_others_have_no_name(load: Loader) -> None:
    await load.make_table("people", columns(name="TEXT"))
    async with load.owner.acquire() as holder, holder.transaction():
        await holder.execute("LOCK TABLE data.people IN ROW EXCLUSIVE MODE")
        assert await refusal(load) == "people was locked by others for 0.2 s: try again"
