"""Connecting to other people's databases: what is refused, and in which words."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from deploy.local.processes import free_port
from services.ingest.connections.domain import (
    Login,
    SourceKind,
    SourceTarget,
    SourceTimeouts,
)
from services.ingest.connections.errors import (
    OwnDatabaseError,
    SourceAwayError,
    SourceUnusableError,
)
from services.ingest.connections.guard import Endpoint, SourceRefusedError, guard_of
from services.ingest.connections.kinds import KINDS
from services.ingest.connections.oracle.session import oracle_session
from services.ingest.connections.postgresql.session import identity_of, postgresql_session
from shared.errors import InvalidInputError
from tests.support.databases import OWNER, PASSWORD, Database
from tests.support.oracle.database import Account, OracleDatabase, OracleError
from tests.support.oracle.login import Verifier
from tests.support.oracle.server import oracle_server

LOOPBACK = guard_of(networks="127.0.0.0/8,::1/128", ports="")
PUBLIC = guard_of(networks="public", ports="")
SHORT = SourceTimeouts(log_in_s=0.3, answer_s=0.3)
USUAL = SourceTimeouts(log_in_s=8, answer_s=8)
ORACLE = SourceTarget(
    kind=SourceKind.ORACLE, host="127.0.0.1", port=0, user="ann", service_name="FREEPDB1"
)
DATABASE = OracleDatabase(
    accounts={
        "ANN": Account("geheim"),
        "OLD": Account("geheim", Verifier.V11G),
        "LOCKED": Account("geheim", problem=OracleError(28000, "The account is locked.")),
        "STALE": Account("geheim", problem=OracleError(28001, "The password has expired.")),
    }
)


def codes(error: InvalidInputError) -> list[tuple[str, str]]:
    return [(entry.field, entry.code) for entry in error.errors]


def postgresql(at: Database, **changes: object) -> Login:
    target = SourceTarget(
        kind=SourceKind.POSTGRESQL,
        host="127.0.0.1",
        port=at.cluster.port,
        user=OWNER,
        database=at.name,
    )
    return Login(replace(target, **changes), PASSWORD)  # type: ignore[arg-type]


async def log_in(login: Login, **options: object) -> None:
    given: dict[str, object] = {"guard": LOOPBACK, "timeouts": USUAL} | options
    if login.target.kind is SourceKind.ORACLE:
        async with oracle_session(login, **given):  # type: ignore[arg-type]
            return
    async with postgresql_session(login, **{"own_identity": None, **given}):  # type: ignore[arg-type]
        return


async def refusal(login: Login, **options: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInputError) as caught:
        await log_in(login, **options)
    return codes(caught.value)


async def test_a_postgresql_session_reads_one_state_and_cannot_write(database: Database) -> None:
    async with postgresql_session(
        postgresql(database), guard=LOOPBACK, timeouts=USUAL, own_identity=None
    ) as session:
        assert await session.fetchval("SHOW transaction_isolation") == "repeatable read"
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await session.execute("CREATE TABLE written (a int)")


@pytest.mark.parametrize(
    ("changes", "password", "expected"),
    [
        ({}, "wrong", ("password", "wrong_log_in")),
        ({"user": "nobody_known"}, PASSWORD, ("password", "wrong_log_in")),
        ({"database": "nowhere"}, PASSWORD, ("database", "unknown_database")),
        ({"tls": True}, PASSWORD, ("tls", "no_tls")),
        ({"host": "/tmp"}, PASSWORD, ("host", "invalid_host")),
        ({"host": "127.0.0.1,evil"}, PASSWORD, ("host", "invalid_host")),
    ],
)
async def test_postgresqls_refusals_are_told_by_field(
    database: Database, changes: dict[str, object], password: str, expected: tuple[str, str]
) -> None:
    login = replace(postgresql(database, **changes), password=password)
    assert await refusal(login) == [expected]


async def test_a_password_of_our_environment_is_never_sent(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    login = replace(postgresql(database), password="")
    assert await refusal(login) == [("password", "wrong_log_in")]
    assert "PGPASSWORD" not in os.environ


async def test_our_own_database_is_refused_whoever_asks(database: Database) -> None:
    own = await asyncpg.connect(database.url("ingest"))
    identity = await identity_of(own)
    await own.close()
    with pytest.raises(OwnDatabaseError):
        await log_in(postgresql(database), own_identity=identity)
    # Another database of the same cluster is somebody's, not ours.
    await log_in(postgresql(database, database="template1"), own_identity=identity)


@pytest.mark.parametrize("kind", list(KINDS))
async def test_nothing_listening_is_told(kind: SourceKind) -> None:
    login = Login(replace(ORACLE, kind=kind, port=free_port(), database="x"), "p")
    assert await refusal(login) == [("port", "nobody_listens")]


@asynccontextmanager
async def listener(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.close()
    server.close()


@pytest.mark.parametrize("kind", list(KINDS))
async def test_a_silent_listener_is_given_up_in_time(kind: SourceKind) -> None:
    async def nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listener(nothing) as port:
        login = Login(replace(ORACLE, kind=kind, port=port, database="x"), "p")
        assert await refusal(login, timeouts=SHORT) == [("host", "no_answer")]


@pytest.fixture
def full_listener() -> Iterator[int]:
    """A port whose queue is full, so that connecting hangs as it does with a dead host."""
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(address)
        yield address[1]


@pytest.mark.parametrize("kind", list(KINDS))
async def test_a_dead_host_is_given_up_in_time(kind: SourceKind, full_listener: int) -> None:
    login = Login(replace(ORACLE, kind=kind, port=full_listener, database="x"), "p")
    assert await refusal(login, timeouts=SHORT) == [("host", "no_answer")]


@pytest.mark.parametrize("kind", list(KINDS))
async def test_something_else_listening_is_told_and_never_hangs(kind: SourceKind) -> None:
    async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with listener(web_server) as port:
        login = Login(replace(ORACLE, kind=kind, port=port, database="x"), "p")
        with pytest.raises(SourceUnusableError):
            await log_in(login, timeouts=replace(USUAL, log_in_s=3))


@pytest.mark.parametrize(
    ("changes", "password", "expected"),
    [
        ({}, "wrong", ("password", "wrong_log_in")),
        ({"user": "nobody"}, "geheim", ("password", "wrong_log_in")),
        ({"user": "old"}, "wrong", ("password", "wrong_log_in")),
        ({"user": "locked"}, "geheim", ("user", "account_locked")),
        ({"user": "stale"}, "geheim", ("password", "password_expired")),
        ({"service_name": "NOWHERE"}, "geheim", ("service_name", "unknown_service")),
        ({"service_name": None, "sid": "NOSID"}, "geheim", ("sid", "unknown_sid")),
        ({"host": "good)(PORT=1)(HOST=evil"}, "geheim", ("host", "invalid_host")),
        ({"service_name": "FREE)(HOST=evil"}, "geheim", ("service_name", "invalid_name")),
        ({"service_name": None, "sid": "FREE)(X=1"}, "geheim", ("sid", "invalid_name")),
    ],
)
async def test_oracles_refusals_are_told_by_field(
    changes: dict[str, object], password: str, expected: tuple[str, str]
) -> None:
    async with oracle_server(DATABASE) as server:
        target = replace(ORACLE, port=server.port, **changes)  # type: ignore[arg-type]
        assert await refusal(Login(target, password)) == [expected]


@pytest.mark.parametrize("code", [12516, 12519, 12520, 12528])
async def test_a_busy_listener_is_away_and_not_wrong(code: int) -> None:
    async with oracle_server(DATABASE) as server:
        server.faults.refuse = code
        with pytest.raises(SourceAwayError) as caught:
            await log_in(Login(replace(ORACLE, port=server.port), "geheim"))
        assert codes(caught.value) == [("source", "listener_refused")]


async def test_what_thin_mode_cannot_do_is_told() -> None:
    async with oracle_server(DATABASE) as server:
        login = Login(replace(ORACLE, port=server.port), "geheim")
        server.faults.native_encryption = True
        assert await refusal(login) == [("host", "native_encryption")]
        server.faults.native_encryption = False
        server.faults.too_old = True
        assert await refusal(login) == [("host", "too_old")]


async def test_an_oracle_that_falls_silent_at_the_log_in_is_given_up() -> None:
    async with oracle_server(DATABASE) as server:
        server.faults.silent_at = "login"
        login = Login(replace(ORACLE, port=server.port), "geheim")
        assert await refusal(login, timeouts=SHORT) == [("host", "no_answer")]


async def test_an_oracle_session_begins_read_only_in_utc() -> None:
    async with oracle_server(DATABASE) as server:
        await log_in(Login(replace(ORACLE, port=server.port), "geheim"))
        assert server.statements == [
            "ALTER SESSION SET TIME_ZONE = '+00:00'",
            "SET TRANSACTION READ ONLY",
        ]


async def test_a_listener_cannot_send_us_to_a_place_we_may_not_go() -> None:
    async with oracle_server(DATABASE) as inner, oracle_server(DATABASE) as outer:
        login = Login(replace(ORACLE, port=outer.port), "geheim")
        outer.faults.redirect = ("127.0.0.1", inner.port)
        await log_in(login)
        assert inner.connections == 1
        only_outer = guard_of(
            networks="127.0.0.0/8", ports="", own=[Endpoint("127.0.0.1", inner.port)]
        )
        with pytest.raises(SourceRefusedError):
            await log_in(login, guard=only_outer)
        outer.faults.redirect = ("10.255.255.1", inner.port)
        with pytest.raises(SourceRefusedError):
            await log_in(login)
        assert inner.connections == 1


@pytest.mark.parametrize("kind", list(KINDS))
async def test_the_guard_stands_before_every_connection(kind: SourceKind) -> None:
    async with oracle_server(DATABASE) as server:
        for host in ("127.0.0.1", "localhost", "::ffff:127.0.0.1", "169.254.169.254"):
            target = replace(ORACLE, kind=kind, host=host, port=server.port, database="x")
            assert await refusal(Login(target, "geheim"), guard=PUBLIC) == [
                ("host", "host_not_allowed")
            ]
        assert server.connections == 0


async def test_oracle_over_tls_is_verified_by_the_hosts_name(
    tls_server: ssl.SSLContext, certificate: Path
) -> None:
    async with oracle_server(DATABASE, tls=tls_server) as server:
        login = Login(replace(ORACLE, port=server.port, tls=True), "geheim")
        await log_in(login, trusted=str(certificate))
        assert await refusal(login) == [("tls", "certificate")]
        elsewhere = replace(login, target=replace(login.target, host="localhost"))
        assert await refusal(elsewhere, trusted=str(certificate)) == [("tls", "certificate")]


def test_a_password_is_in_no_representation() -> None:
    login = Login(ORACLE, "geheim")
    assert "geheim" not in repr(login)
    assert "geheim" not in f"{login}"


@asynccontextmanager
async def tls_in_front(port: int, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """PostgreSQL's offer of TLS in front of a server that has none."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(tls)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async with listener(serve) as outer:
        yield outer


async def test_postgresql_over_tls_is_verified_by_the_hosts_name(
    database: Database, tls_server: ssl.SSLContext, certificate: Path
) -> None:
    async with tls_in_front(database.cluster.port, tls_server) as port:
        login = postgresql(database, port=port, tls=True)
        await log_in(login, trusted=str(certificate))
        assert await refusal(login) == [("tls", "certificate")]
        elsewhere = replace(login, target=replace(login.target, host="localhost"))
        assert await refusal(elsewhere, trusted=str(certificate)) == [("tls", "certificate")]
        # Without a wish, TLS is taken as it is offered.
        await log_in(replace(login, target=replace(login.target, tls=None)))
