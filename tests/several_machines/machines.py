"""Three machines: a gateway, each service and a worker on two of them, on the third a worker alone.

Each machine has its own processes and state folder. PostgreSQL, Redis and S3 are common, and before
the two processes of each service stands a load balancer; people choose a gateway themselves.
"""

import asyncio
import dataclasses
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from deploy.local.environment import HOST, MEASURED, Addresses, command, process_environment
from deploy.local.processes import free_port
from deploy.local.state import Secrets, load_secrets, open_state
from deploy.local.supervisor import Child, launching
from deploy.local.valkey import Valkey
from migrations.bootstrap import SERVICES
from tests.support.balancer import Balancer, balanced
from tests.support.databases import PASSWORD, Database
from tests.support.mailbox import Mailbox
from tests.support.waiting import until

PROCESSES = {"a": MEASURED, "b": MEASURED, "c": ("worker",)}
AWAY = (502, 503)
"""What a gateway answers while a process behind it has just gone."""
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"
STARTED_S = 60.0
ENDED_S = 120.0
QUICK = {"HEARTBEAT_S": "0.5", "SILENT_S": "4", "SWEEP_S": "0.5", "WORKER_CONCURRENCY": "2"}
"""So that a worker that dies is missed after 4 s."""


@dataclass
class Process:
    """One process of one machine."""

    machine: str
    name: str
    child: Child
    url: str | None
    metrics_url: str

    def __str__(self) -> str:
        return f"{self.name} of {self.machine}"

    async def metrics(self) -> str:
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.get(self.metrics_url)
        assert answer.status_code == 200
        return str(answer.text)

    async def killed(self) -> None:
        """kill -9, and it is gone."""
        assert self.child.process is not None
        self.child.process.kill()
        await asyncio.to_thread(self.child.process.wait)

    async def ready(self) -> None:
        """It and what it needs are there; a worker is when it is measured."""
        where = self.metrics_url if self.url is None else f"{self.url}/readyz"
        async with httpx2.AsyncClient(trust_env=False) as http:

            async def answers() -> bool:
                assert self.child.pid is not None, self.child.log_file.read_text()
                return (await http.get(where)).status_code == 200

            await until(
                f"the {self} is ready", answers, bearing=(httpx2.HTTPError,), timeout_s=STARTED_S
            )


@dataclass
class Machines:
    """All processes, and a person who uses both gateways in turn."""

    processes: list[Process]
    owner: "asyncpg.Pool[asyncpg.Record]"
    mailbox: Mailbox
    balancers: Mapping[str, Balancer]
    redis: Valkey
    gateways: list[httpx2.AsyncClient] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=itertools.count)

    def of(self, machine: str, *names: str) -> list[Process]:
        """A machine's processes, or those of these names."""
        its = [one for one in self.processes if one.machine == machine]
        return [one for one in its if not names or one.name in names]

    def named(self, name: str) -> list[Process]:
        return [one for one in self.processes if one.name == name]

    async def call(
        self, method: str, path: str, *, status: int | None = 200, **request: Any
    ) -> httpx2.Response:
        """Ask the next gateway, and the one after it where a process is away.

        The answer must have the status; None takes any but those of a process that is away.
        """

        async def answered() -> httpx2.Response | None:
            http = self.gateways[next(self._turn) % len(self.gateways)]
            answer = await http.request(method, path, **request)
            return None if answer.status_code in AWAY else answer

        answer: httpx2.Response = await until(
            f"{method} {path} is answered", answered, bearing=(httpx2.TransportError,)
        )
        assert status in (None, answer.status_code), answer.text
        return answer

    async def make_table(self, name: str) -> None:
        """A table of names, each there once, and ages."""
        columns = [
            {"name": "name", "type": "TEXT", "nullable": False, "unique": True},
            {"name": "age", "type": "INTEGER"},
        ]
        await self.call("POST", "/api/tables", json={"name": name, "columns": columns}, status=201)

    async def submit(self, table: str, content: bytes, **fields: str) -> dict[str, Any]:
        """An import, sent again under its key to the other gateway if an answer is lost."""
        answer = await self.call(
            "POST",
            "/api/imports",
            data={"table": table, **fields},
            files={"file": (f"{table}.csv", content)},
            headers={"Idempotency-Key": f"{table} {hash(content)}"},
            status=202,
        )
        body: dict[str, Any] = answer.json()
        return body

    async def finished(self, import_: Mapping[str, Any]) -> dict[str, Any]:
        """The import once it is done, by the events of whichever gateway is there."""
        last = ""

        async def followed() -> dict[str, Any] | None:
            nonlocal last
            http = self.gateways[next(self._turn) % len(self.gateways)]
            async for id_, kind, body in events(http, import_, after=last):
                last = id_
                if kind == "done":
                    return body
            return None

        done: dict[str, Any] = await until(
            f"the import {import_['id']} is done", followed, timeout_s=ENDED_S
        )
        return done

    @asynccontextmanager
    async def without(self, *processes: Process) -> AsyncIterator[None]:
        """Kill processes, and start them again when this is left."""
        for process in processes:
            await process.killed()
        try:
            yield
        finally:
            for process in processes:
                process.child.start()
            for process in processes:
                await process.ready()

    def busiest(self, service: str) -> Process:
        """The process of a service that was sent the most."""
        passed_bytes = self.balancers[service].passed_bytes
        port = max(passed_bytes, key=lambda each: passed_bytes[each])
        return next(one for one in self.named(service) if str(one.url).endswith(f":{port}"))

    async def until(self, query: str, *arguments: object, timeout_s: float = 60) -> Any:
        """What the database's owner is answered once it is true."""
        return await until(
            query, lambda: self.owner.fetchval(query, *arguments), timeout_s=timeout_s
        )

    @asynccontextmanager
    async def held(self, table: str, name: str) -> AsyncIterator[None]:
        """Whoever loads this name into the table waits, inside its COPY, until this is left."""
        async with self.owner.acquire() as blocker:
            transaction = blocker.transaction()
            await transaction.start()
            await blocker.execute(f'INSERT INTO data."{table}" (name) VALUES ($1)', name)
            try:
                yield
            finally:
                await transaction.rollback()

    async def stands_in_copy(self, import_: Mapping[str, Any]) -> None:
        """The import waits for a name that is held."""
        await self.until(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE 'COPY%' AND application_name = $1",
            f"tabularium-ingest:import:{import_['id']}",
        )


async def events(
    http: httpx2.AsyncClient, import_: Mapping[str, Any], *, after: str = ""
) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Id, kind and body of each event behind an id, until the stream ends or breaks."""
    headers = {"Last-Event-ID": after} if after else {}
    id_, kind, data = after, "", ""
    try:
        async with http.stream("GET", import_["links"]["events"], headers=headers) as stream:
            assert stream.status_code in (200, *AWAY), await stream.aread()
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                id_ = value if name == "id" else id_
                kind = value if name == "event" else kind
                data = value if name == "data" else data
                if not line and data:
                    yield id_, kind, json.loads(data)
                    data = ""
    except httpx2.TransportError:
        return


@asynccontextmanager
async def running_machines(
    folder: Path,
    database: Database,
    *,
    settings: Mapping[str, str],
    mailbox: Mailbox,
    redis: Valkey,
) -> AsyncIterator[Machines]:
    """Start all of it at once; `settings` hold on every machine."""
    known = dataclasses.replace(
        load_secrets(open_state(folder / "secrets")),
        database_passwords=dict.fromkeys(SERVICES, PASSWORD),
    )
    async with AsyncExitStack() as stack:
        places = {machine: _addresses(database, settings, mailbox) for machine in PROCESSES}
        common = {**QUICK, **settings}
        balancers = {
            service: await stack.enter_async_context(
                balanced([places[machine].service_ports[service] for machine in ("a", "b")])
            )
            for service in SERVICES
        }
        urls = {f"{service.upper()}_URL": one.url for service, one in balancers.items()}
        processes = [
            _process(
                name,
                machine=machine,
                at=places[machine],
                state=open_state(folder / machine),
                environment=_environment(name, places[machine], known, folder / machine, common)
                | urls,
            )
            for machine, names in PROCESSES.items()
            for name in names
        ]
        stack.push_async_callback(_stopped, processes)
        for process in processes:
            process.child.start()
        async with asyncio.TaskGroup() as waiting:
            for process in processes:
                waiting.create_task(process.ready())
        owner = await stack.enter_async_context(
            asyncpg.create_pool(database.superuser_url, min_size=1, max_size=8)
        )
        machines = Machines(processes, owner, mailbox, balancers, redis)
        for process in machines.named("gateway"):
            http = httpx2.AsyncClient(base_url=str(process.url), timeout=60, trust_env=False)
            machines.gateways.append(await stack.enter_async_context(http))
        log_in = json.loads((folder / "secrets" / "admin.json").read_text())
        token = (await machines.call("POST", "/api/token/", json=log_in)).json()["access"]
        for http in machines.gateways:
            http.headers["Authorization"] = f"Bearer {token}"
        yield machines


def _addresses(database: Database, settings: Mapping[str, str], mailbox: Mailbox) -> Addresses:
    return Addresses(
        gateway_port=free_port(),
        service_ports={service: free_port() for service in SERVICES},
        owner_url=database.url(),
        redis_url=settings["REDIS_URL"],
        smtp_host=HOST,
        smtp_port=mailbox.port,
        own_mail_catcher=True,
    )


def _environment(
    name: str, at: Addresses, known: Secrets, state: Path, given: Mapping[str, str]
) -> dict[str, str]:
    environment = process_environment(name, at=at, known=known, state=state, given=given)
    return environment | {"METRICS_PORT": str(free_port())}


def _process(
    name: str, *, machine: str, at: Addresses, state: Path, environment: dict[str, str]
) -> Process:
    log_file = state / "log" / f"{name}.log"
    start = launching(command(name, at=at, state=state), environment=environment, log_file=log_file)
    urls = {"gateway": at.public_url} | {one: at.service_url(one) for one in SERVICES}
    metrics_url = f"http://{HOST}:{environment['METRICS_PORT']}/metrics"
    return Process(machine, name, Child(name, start, log_file), urls.get(name), metrics_url)


async def _stopped(processes: list[Process]) -> None:
    """All at once; one that was killed is gone already."""
    async with asyncio.TaskGroup() as stopping:
        for process in processes:
            stopping.create_task(process.child.stop())
