"""A place for tables that tests read: the test server, or the Oracle that ORACLE_TEST_DSN names.

The same tests run in both. A real server gets the tables by CREATE TABLE and INSERT; its user
needs CREATE SESSION, CREATE TABLE and room in a tablespace, and loses nothing: the tables have
names of their own and are dropped at the end.
"""

import datetime as dt
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

import oracledb

from services.ingest.connections.domain import Login, SourceKind, SourceTarget
from tests.support.oracle import types
from tests.support.oracle.database import Account, Column, OracleDatabase, Row, Table
from tests.support.oracle.server import OracleServer, oracle_server
from tests.support.oracle.types import OracleType

DSN = re.compile(r"(?P<user>[^/]+)/(?P<password>.+)@(?P<host>[^:/]+):(?P<port>\d+)/(?P<name>.+)")
USER, PASSWORD, SERVICE = "ANN", "geheim", "FREEPDB1"


class OraclePlace(Protocol):
    """Where tables can be put, and the log-in by which they are read."""

    login: Login

    async def put(self, columns: dict[str, OracleType], rows: list[Row]) -> str:
        """Make a table; returns its name, in capitals."""
        ...


@dataclass
class TestServerPlace:
    """The test server's database."""

    __test__ = False

    server: OracleServer
    login: Login

    async def put(self, columns: dict[str, OracleType], rows: list[Row]) -> str:
        name = f"T_{secrets.token_hex(4)}".upper()
        made = tuple(Column(column, type_) for column, type_ in columns.items())
        self.server.database.tables.append(Table(USER, name, made, rows))
        return name


@dataclass
class RealPlace:
    """A schema of a real Oracle."""

    login: Login
    connection: oracledb.AsyncConnection
    made: list[str] = field(default_factory=list)

    async def put(self, columns: dict[str, OracleType], rows: list[Row]) -> str:
        name = f"T_{secrets.token_hex(4)}".upper()
        spelled = ", ".join(
            f'"{column}" {_declared(type_, column)}' for column, type_ in columns.items()
        )
        with self.connection.cursor() as cursor:
            await cursor.execute(f"CREATE TABLE {name} ({spelled})")
            self.made.append(name)
            for row in rows:
                given = [_given(value) for value in row]
                marks = ", ".join(_mark(value, at) for at, value in enumerate(row, 1))
                await cursor.execute(f"INSERT INTO {name} VALUES ({marks})", given)
        await self.connection.commit()
        return name


@asynccontextmanager
async def oracle_place() -> AsyncIterator[OraclePlace]:
    """The real Oracle if one is named, else the test server."""
    if dsn := os.environ.get("ORACLE_TEST_DSN"):
        async with _real(dsn) as real:
            yield real
        return
    database = OracleDatabase(accounts={USER: Account(PASSWORD)}, services=(SERVICE,))
    async with oracle_server(database) as server:
        target = SourceTarget(
            kind=SourceKind.ORACLE,
            host="127.0.0.1",
            port=server.port,
            user=USER.lower(),
            service_name=SERVICE,
        )
        yield TestServerPlace(server, Login(target, PASSWORD))


@asynccontextmanager
async def _real(dsn: str) -> AsyncIterator[RealPlace]:
    found = DSN.fullmatch(dsn)
    if found is None:
        raise ValueError("ORACLE_TEST_DSN is user/password@host:port/service")
    target = SourceTarget(
        kind=SourceKind.ORACLE,
        host=found["host"],
        port=int(found["port"]),
        user=found["user"],
        service_name=found["name"],
    )
    connection = await oracledb.connect_async(
        user=target.user,
        password=found["password"],
        host=target.host,
        port=target.port,
        service_name=target.service_name,
    )
    place = RealPlace(Login(target, found["password"]), connection)
    try:
        yield place
    finally:
        with connection.cursor() as cursor:
            for name in place.made:
                await cursor.execute(f"DROP TABLE {name} PURGE")
        await connection.close()


def _declared(type_: OracleType, column: str) -> str:
    if type_ is types.JSON_TEXT:
        return f'CLOB CHECK ("{column}" IS JSON)'
    return type_.declared


def _given(value: object) -> object:
    if isinstance(value, tuple):
        if len(value) == 2:
            return oracledb.IntervalYM(*value)
        return "AAAAABAACAAAAADAAE"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else f"{value:%z}"
        return f"{value:%Y-%m-%d %H:%M:%S.%f} {zone}"
    return value


def _mark(value: object, at: int) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        named = isinstance(value.tzinfo, ZoneInfo)
        return f"TO_TIMESTAMP_TZ(:{at}, 'YYYY-MM-DD HH24:MI:SS.FF {'TZR' if named else 'TZHTZM'}')"
    return f":{at}"
