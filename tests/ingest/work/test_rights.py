"""A submitter's rights are asked for when the import begins, and again before its commit."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from shared.contracts.auth import GRANTABLE_SCOPES, Caller, Scope
from tests.ingest.driving import Ingest
from tests.support.issuer import machine, person
from tests.support.profile import only_in_full

CSV = b"name,age\nAnn,30\n"
FRESH_S = 0.01
FAILED = "SELECT state = 'failed' FROM ingest.imports WHERE id = $1"


def the_account_is_disabled(ingest: Ingest, caller: Caller) -> None:
    del ingest.issuer.callers[caller.sub, caller.api_key]


def the_scope_is_taken(ingest: Ingest, caller: Caller) -> None:
    left = caller.scopes - {Scope.IMPORTS_WRITE, Scope.CATALOG_WRITE}
    now = caller.model_copy(update={"scopes": left})
    ingest.issuer.callers[caller.sub, caller.api_key] = now


def the_grant_is_revoked(ingest: Ingest, caller: Caller) -> None:
    ingest.peers.strangers.add(caller.sub)


def the_grant_is_for_reading(ingest: Ingest, caller: Caller) -> None:
    ingest.peers.readers.add(caller.sub)


LOSSES = [
    the_account_is_disabled,
    the_scope_is_taken,
    the_grant_is_revoked,
    the_grant_is_for_reading,
]
Loss = Callable[[Ingest, Caller], None]


def somebody(loss: Loss, when: str) -> Caller:
    """A caller of this test alone."""
    return person(f"{loss.__name__}-{when}@example.com")


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_queued_import_of_who_may_not_any_more_fails(ingest: Ingest, loss: Loss) -> None:
    caller = somebody(loss, "queued")
    import_ = await ingest.submit(CSV, caller=caller, email="bob@example.com")
    loss(ingest, caller)
    async with ingest.working():
        await ingest.until(
            "SELECT state = 'failed' FROM ingest.imports WHERE id = $1", import_["id"]
        )
    row = await ingest.row(import_)
    assert '"not_allowed_any_more"' in row["error"]
    assert await ingest.count() == 0


@dataclass
class Held:
    """Imports stand still in their load until this is left."""

    ingest: Ingest

    @asynccontextmanager
    async def table(self) -> AsyncIterator[None]:
        async with self.ingest.owner.acquire() as blocker, blocker.transaction():
            await blocker.execute("LOCK TABLE data.people IN ACCESS EXCLUSIVE MODE")
            yield

    async def reached(self) -> None:
        await self.ingest.until(
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE application_name LIKE 'tabularium-ingest:import:%' AND wait_event_type = 'Lock'"
        )


@only_in_full
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_running_import_of_who_may_not_any_more_is_rolled_back(
    ingest: Ingest, loss: Loss
) -> None:
    caller = somebody(loss, "running")
    held = Held(ingest)
    async with ingest.working(rights_fresh_s=FRESH_S):
        async with held.table():
            import_ = await ingest.submit(CSV, caller=caller)
            await held.reached()
            loss(ingest, caller)
        await ingest.until(
            "SELECT state = 'failed' FROM ingest.imports WHERE id = $1", import_["id"]
        )
    assert '"not_allowed_any_more"' in (await ingest.row(import_))["error"]
    assert await ingest.count() == 0


async def test_catalog_imports_ask_for_their_own_scope(ingest: Ingest) -> None:
    caller = machine("cataloguer", *GRANTABLE_SCOPES)
    triples = b"etl_name,schema_name,table_name\nnightly,sales,orders\n"
    import_ = await ingest.submit(triples, path="/api/data/file", name="t.csv", caller=caller)
    left = caller.scopes - {Scope.CATALOG_WRITE}
    ingest.issuer.callers[caller.sub, None] = caller.model_copy(update={"scopes": left})
    async with ingest.working():
        done = await ingest.finished(import_, caller=caller)
    assert (done["state"], done["error"]["code"]) == ("failed", "not_allowed_any_more")
    assert "catalog:write" in done["error"]["detail"]
    assert ingest.peers.merged == []


async def test_an_import_waits_for_auth_to_begin(ingest: Ingest) -> None:
    import_ = await ingest.submit(CSV)
    ingest.issuer.silent = True
    try:
        async with ingest.working():
            await ingest.until(
                "SELECT last_error IS NOT NULL FROM ingest.imports WHERE id = $1", import_["id"]
            )
            assert (await ingest.row(import_))["attempt"] == 0
            ingest.issuer.silent = False
            assert (await ingest.finished(import_))["state"] == "succeeded"
    finally:
        ingest.issuer.silent = False


async def test_an_import_that_is_at_its_end_does_not_wait_for_auth(ingest: Ingest) -> None:
    held = Held(ingest)
    try:
        async with ingest.working(rights_fresh_s=FRESH_S):
            async with held.table():
                import_ = await ingest.submit(CSV)
                await held.reached()
                ingest.issuer.silent = True
            done = await ingest.finished(import_)
        assert (done["state"], done["attempt"]) == ("succeeded", 1)
    finally:
        ingest.issuer.silent = False
