"""Connection strings as providers print them, to the first message on the wire."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from deploy.local.postgresql import Cluster
from shared.process.connection_string import (
    ConnectionStringError,
    connection_string,
    database_of,
    servers_of,
)
from shared.store.engine import database_engine
from shared.store.pooler import probe_engine
from tests.support.certificates import self_signed, server_context

SSL_REQUEST = 80877103
HOST = "127.0.0.1"


@asynccontextmanager
async def speaking_tls(certificate: Path) -> AsyncIterator[tuple[int, list[bytes]]]:
    """PostgreSQL's side up to the start-up message, which it keeps and leaves unanswered."""
    starts: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readexactly(8)
            assert int.from_bytes(request[4:], "big") == SSL_REQUEST
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(server_context(certificate))
            length = int.from_bytes(await reader.readexactly(4), "big")
            starts.append(await reader.readexactly(length - 4))
        except (ssl.SSLError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1], starts


async def first_message(url: str) -> BaseException | None:
    try:
        connection = await asyncpg.connect(connection_string(url), timeout=10)
    except (asyncpg.PostgresError, OSError, TimeoutError) as exc:
        return exc
    await connection.close()
    return None


async def test_tls_as_it_is_asked_for_reaches_the_server(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    login = "ann:p%40ss%25@127.0.0.1"
    async with speaking_tls(certificate) as (port, starts):
        await first_message(f"postgres://{login}:{port}/shop?ssl=true&channel_binding=require")
        assert len(starts) == 1
        assert b"user\x00ann\x00" in starts[0]
        assert b"database\x00shop\x00" in starts[0]
        assert b"channel_binding" not in starts[0]
        await first_message(
            f"postgresql+asyncpg://{login}:{port}/shop?sslmode=verify-full&sslrootcert={certificate}"
        )
        assert len(starts) == 2
        # No authority of the system has signed it.
        refused = await first_message(f"postgresql://{login}:{port}/shop?sslmode=verify-full")
        assert isinstance(refused, ssl.SSLCertVerificationError), refused
        assert len(starts) == 2


async def test_the_server_that_takes_writes_is_found_among_several(cluster: Cluster) -> None:
    url = cluster.url()
    login, _, rest = url.partition("://")[2].rpartition("@")
    host, _, database = rest.partition("/")
    several = f"postgres://{login}@127.0.0.1:1,{host}/{database}?target_session_attrs=read-write"
    async with database_engine(connection_string(several), application_name="several") as engine:
        await probe_engine(engine)
    assert servers_of(connection_string(several))[0] == (HOST, 1)
    assert database_of(several) == database


@pytest.mark.parametrize(
    ("password", "sent"),
    [("p@ss", "p@ss"), ("50%off", "50%off"), ("50%25off", "50%off"), ("a%2Fb%3Fc", "a/b?c")],
)
async def test_odd_passwords_arrive_as_they_are(cluster: Cluster, password: str, sent: str) -> None:
    owner = await asyncpg.connect(cluster.url())
    literal = await owner.fetchval("SELECT quote_literal($1::text)", sent)
    await owner.execute("DROP ROLE IF EXISTS odd_password")
    await owner.execute(f"CREATE ROLE odd_password LOGIN PASSWORD {literal}")
    host, port = servers_of(cluster.url())[0]
    url = f"postgresql://odd_password:{password}@{host}:{port}/postgres"
    connection = await asyncpg.connect(connection_string(url))
    assert await connection.fetchval("SELECT current_user") == "odd_password"
    await connection.close()
    await owner.execute("DROP ROLE odd_password")
    await owner.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://a:b@host/shop", "begins with postgresql://"),
        ("postgresql://a:geheim#1@host/shop", "%23"),
        ("postgresql://a:ge/heim@host/shop", "%2F"),
        ("postgresql://a:geheim@host/shop?sslmode=yes", "sslmode is one of disable"),
        ("postgresql://a:geheim@host/shop?sslmode=require&schema=public", "'schema' is not known"),
        ("postgresql://a:geheim@host/shop?sslrootcert=/nowhere.pem", "/nowhere.pem"),
        ("postgresql://a:geheim@host:port/shop", "port"),
        ("postgresql://a:geheim@host/shop?target_session_attrs=master", "read-write"),
        ("postgresql://a:geheim@host/shop?gssencmode=require", "gssencmode"),
    ],
)
def test_a_wrong_one_is_one_line_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(ConnectionStringError) as refused:
        connection_string(url)
    message = str(refused.value)
    assert reason in message
    assert "\n" not in message
    assert "heim" not in message


def test_servers_and_database_of_a_string() -> None:
    url = "postgresql://a:b@one,two:6432,[::1]:5433/shop?target_session_attrs=any"
    assert servers_of(connection_string(url)) == (("one", 5432), ("two", 6432), ("::1", 5433))
    assert database_of(url) == "shop"
    assert database_of("postgresql://ann:b@one") == "ann"
