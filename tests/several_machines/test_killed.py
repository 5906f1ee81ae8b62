"""Whatever is killed, the others go on, and every import ends right."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx2
import pytest

from migrations.bootstrap import SERVICES
from services.ingest.service.uploads import PIECE_BYTES
from tests.several_machines.machines import AWAY, PIECE, TUS, Machines, Process
from tests.several_machines.people import HELD, ROWS, is_in_the_catalog, is_whole, loaded, people
from tests.support.profile import only_in_full
from tests.support.waiting import until

pytestmark = only_in_full

MACHINE = "machine"
"""A whole one."""


async def working_on_one(machines: Machines) -> Process:
    """The worker that has the only import that runs."""

    async def one() -> Process | None:
        for worker in machines.named("worker"):
            if "tabularium_worker_imports_running 1.0" in await worker.metrics():
                return worker
        return None

    worker: Process = await until("a worker says that it runs an import", one)
    return worker


async def chosen(machines: Machines, victim: str) -> list[Process]:
    if victim == MACHINE:
        return machines.of("b")
    if victim == "worker":
        return [await working_on_one(machines)]
    return machines.of("a", victim)


@pytest.mark.parametrize("victim", ["worker", *SERVICES, "gateway", MACHINE])
async def test_whatever_is_killed_every_import_ends_right(machines: Machines, victim: str) -> None:
    held, others = f"held_{victim}", f"others_{victim}"
    for table in (held, others):
        await machines.make_table(table)
    imports: list[tuple[str, dict[str, Any]]] = []

    async def submit(table: str, of: str = "person") -> None:
        import_ = await machines.submit(table, people(of=of), etl_name=table)
        imports.append((table, import_))

    async with AsyncExitStack() as stack:
        async with machines.held(held, HELD):
            await submit(held)
            await machines.stands_in_copy(imports[0][1])
            killed = await chosen(machines, victim)
            following = asyncio.gather(
                *(machines.finished(imports[0][1]) for _ in machines.gateways)
            )
            for n in range(3):
                await submit(others, of=f"before {n}")
            await stack.enter_async_context(machines.without(*killed))
            for n in range(3):
                await submit(others, of=f"after {n}")
            await everything_is_served(machines, f"without_{victim}")
        for table, import_ in imports:
            assert is_whole(await machines.finished(import_))
            assert await loaded(machines, table, import_) == (ROWS, ROWS)
        assert all(is_whole(done) for done in await following)
    assert await machines.owner.fetchval(f'SELECT count(*) FROM data."{others}"') == 6 * ROWS
    for table in (held, others):
        await is_in_the_catalog(machines, table, table)
    await machines.until("SELECT count(*) = 0 FROM ingest.outbox")


async def test_work_goes_on_without_redis(machines: Machines) -> None:
    await machines.make_table("forgotten")
    log_in = {"username": "nobody", "password": "nothing"}
    machines.redis.stop()
    try:
        imports = [
            await machines.submit("forgotten", people(of=f"unheard {n}"), etl_name="forgotten")
            for n in range(4)
        ]
        for import_ in imports:
            assert is_whole(await machines.finished(import_))
            assert await loaded(machines, "forgotten", import_) == (ROWS, ROWS)
        for http in machines.gateways:
            # Nobody counts the tries.
            assert (await http.post("/api/token/", json=log_in)).status_code == 503
    finally:
        machines.redis.start()
    for http in machines.gateways:

        async def counts_again(http: httpx2.AsyncClient = http) -> bool:
            return bool((await http.post("/api/token/", json=log_in)).status_code == 401)

        await until("sign-in is possible again", counts_again)
    import_ = await machines.submit("forgotten", people())
    assert is_whole(await machines.finished(import_))
    assert await machines.owner.fetchval('SELECT count(*) FROM data."forgotten"') == 5 * ROWS


@pytest.mark.parametrize("victim", ["ingest", "gateway"])
async def test_an_upload_outlives_who_took_it(machines: Machines, victim: str) -> None:
    table = f"outlived_{victim}"
    await machines.make_table(table)
    content = people(of="x" * (PIECE_BYTES // ROWS))
    one, other = machines.gateways
    begun = await other.post("/api/uploads", headers={**TUS, "Upload-Length": str(len(content))})
    path = begun.headers["location"]
    over = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield content[:-1]
        await over.wait()
        yield content[-1:]

    async def kept() -> int:
        answer = await machines.call("HEAD", path, headers=TUS)
        return int(answer.headers["upload-offset"])

    for balancer in machines.balancers.values():
        balancer.passed_bytes.clear()
    piece = {**TUS, "Content-Type": PIECE}
    sending = asyncio.create_task(
        one.patch(path, content=slowly(), headers={**piece, "Upload-Offset": "0"})
    )
    await until("a part is kept", kept)
    killed = machines.busiest("ingest") if victim == "ingest" else machines.of("a", victim)[0]
    async with machines.without(killed):
        over.set()
        with suppress(httpx2.TransportError):
            assert (await sending).status_code in AWAY

        async def gone_on() -> bool:
            at = await kept()
            assert at >= PIECE_BYTES
            answer = await machines.call(
                "PATCH",
                path,
                content=content[at:],
                headers={**piece, "Upload-Offset": str(at)},
                status=None,
            )
            return answer.status_code == 204

        # 409 as long as a service keeps the rest of what it was sent.
        await until("the upload has gone on", gone_on)
        upload = (await other.get(path)).json()
        assert upload["sha256"] == hashlib.sha256(content).hexdigest()
        body = {"upload": upload["id"], "table": table}
        import_ = await machines.call("POST", "/api/imports", json=body, status=202)
        assert is_whole(await machines.finished(import_.json()))


async def everything_is_served(machines: Machines, name: str) -> None:
    """A call to each service, twice: every gateway, and each way behind it, comes up."""
    for turn in range(2):
        table = f"{name}_{turn}"
        await machines.make_table(table)
        await machines.call("GET", f"/api/tables/{table}/records")
        await machines.call("GET", "/api/catalog/etls")
        await machines.call("GET", "/api/auth/me")
        await machines.call("GET", "/api/imports")
        body = {"name": f"{table} key", "scopes": ["tables:read"]}
        await machines.call("POST", "/api/auth/api-keys", json=body, status=201)
