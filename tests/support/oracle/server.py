"""A small Oracle server: the real driver logs in, runs queries and fetches rows.

It speaks what `oracledb` in thin mode was seen to say. That it agrees with a real Oracle, no test
here can show; `docs/oracle.md` says what has been.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count, islice

from tests.support.oracle import responses
from tests.support.oracle.database import Account, Column, OracleDatabase, OracleError, Row
from tests.support.oracle.login import Pair, PasswordCheck
from tests.support.oracle.packets import BrokenOffError, HungUpError, PacketStream
from tests.support.oracle.primitives import IncompleteError, Reader
from tests.support.oracle.queries import Result, answer
from tests.support.oracle.requests import (
    LOGIN_ONE,
    LOGOFF,
    Call,
    Define,
    Execute,
    Fetch,
    Login,
    Negotiation,
    Request,
    parsed,
)

V19C, V23AI = 12, 24
"""Field versions of the two generations of servers."""

UNSUPPORTED = (112, 113, 119)
"""LOB locators and native JSON: clients get LOBs as LONG, JSON through JSON_SERIALIZE."""


@dataclass
class Faults:
    """What goes wrong; tests change it while the server runs."""

    refuse: int | None = None
    """Refuse every connection with this ORA number, as a listener does."""
    redirect: tuple[str, int] | None = None
    """Send every client on to this host and port."""
    native_encryption: bool = False
    """Insist on native network encryption, which thin mode cannot do."""
    too_old: bool = False
    """Be a server older than 12.1."""
    silent_at: str | None = None
    """Say nothing more at `connect`, `login`, `execute` or `fetch`."""
    drop_after_rows: int | None = None
    """Cut the connection when so many rows of a query were sent."""
    error_after_rows: tuple[int, OracleError] | None = None
    """Answer with an error when so many rows were sent."""
    pause_s: float = 0
    """Wait so long before every batch of rows."""
    on_statement: Callable[[str], None] | None = None
    """Told every statement before it is run; may raise OracleError, or change the tables."""


@dataclass
class OpenCursor:
    """A query that is being fetched; `run` answers it by the data of the moment."""

    run: Callable[[], Result]
    result: Result = field(init=False)
    rows: Iterator[Row] = field(init=False)
    sent: int = 0
    defines: tuple[Define, ...] = ()

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Run the query again, from its first row."""
        self.result = self.run()
        self.rows, self.sent = iter(self.result.rows()), 0


@dataclass
class OracleServer:
    """A running server on a port of 127.0.0.1."""

    database: OracleDatabase
    field_version: int = V23AI
    fast_login: bool = True
    end_of_response: bool = True
    faults: Faults = field(default_factory=Faults)
    port: int = 0
    statements: list[str] = field(default_factory=list)
    """Every statement that was run, in order."""
    connections: int = 0
    """How many clients have connected so far."""
    reached: dict[str, asyncio.Event] = field(default_factory=dict)
    """Set when the server fell silent at a point."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from CONNECT to the end."""
        self.connections += 1
        stream = PacketStream(reader, writer)
        try:
            await _Session(self, stream).run()
        except HungUpError:
            pass
        finally:
            await stream.close()


class _Session:
    """One client's conversation."""

    def __init__(self, server: OracleServer, stream: PacketStream) -> None:
        self._server = server
        self._stream = stream
        self._check: PasswordCheck | None = None
        self._account: Account | None = None
        self._user = ""
        self._cursors: dict[int, OpenCursor] = {}
        self._numbers = count(1)
        self._frozen: OracleDatabase | None = None

    async def run(self) -> None:
        if not await self._accepted():
            return
        while True:
            request = None
            try:
                request = await self._request()
                await self._answered(request)
            except OracleError as exc:
                await self._stream.answer(self._outcome(error=exc))
            except BrokenOffError:
                cancelled = OracleError(1013, "user requested cancel of current operation")
                await self._stream.answer(self._outcome(error=cancelled))
            if isinstance(request, Call) and request.function == LOGOFF:
                return

    async def _accepted(self) -> bool:
        wanted = await self._stream.connect_request()
        faults, database = self._server.faults, self._server.database
        await self._fall_silent("connect")
        refusal = faults.refuse
        if refusal is None and wanted.sid and wanted.sid.upper() not in database.sids:
            refusal = 12505
        if refusal is None and wanted.service_name:
            known = [service.upper() for service in database.services]
            refusal = None if wanted.service_name.upper() in known else 12514
        if refusal is not None:
            await self._stream.refuse(refusal)
            return False
        if faults.redirect is not None:
            host, port = faults.redirect
            await self._stream.redirect(
                host=host, port=port, service_name=wanted.service_name or database.services[0]
            )
            return False
        await self._stream.accept(
            version=314 if faults.too_old else 319 if self._server.end_of_response else 318,
            fast_login=self._server.fast_login,
            end_of_response=self._server.end_of_response,
            native_encryption=faults.native_encryption,
        )
        return True

    async def _request(self) -> Request:
        message = await self._stream.data()
        while True:
            try:
                return parsed(Reader(message), self._server.field_version)
            except IncompleteError:
                message += await self._stream.data()

    async def _answered(self, request: Request) -> None:
        match request:
            case Negotiation():
                await self._negotiate(request)
            case Login():
                await self._stream.answer(await self._login(request))
            case Execute(sql=None):
                await self._define(request)
            case Execute():
                await self._execute(request)
            case Fetch():
                await self._fetch(request)
            case Call():
                self._frozen = None
                await self._stream.answer(responses.DONE)

    async def _negotiate(self, request: Negotiation) -> None:
        reply = b""
        if request.protocol:
            reply += responses.protocol(self._server.field_version)
        if request.data_types:
            reply += responses.data_types()
        if request.login:
            reply += await self._login(request.login)
        await self._stream.answer(reply, ends=request.login is not None)

    async def _login(self, login: Login) -> bytes:
        await self._fall_silent("login")
        denied = OracleError(1017, "invalid username/password; logon denied")
        if login.phase == LOGIN_ONE:
            self._user = login.user.upper()
            self._account = self._server.database.accounts.get(self._user)
            # A stranger is challenged too, so that the answer does not tell who exists.
            account = self._account or Account(password="")
            self._check = PasswordCheck(account.password, account.verifier)
            return responses.pairs(self._check.challenge())
        assert self._check is not None
        response = self._check.response(login.pairs)
        if self._account is None or response is None:
            raise denied
        if self._account.problem is not None:
            raise self._account.problem
        version = 23 << 24 | 4 << 16 if self._server.field_version >= V23AI else 19 << 24 | 3 << 16
        given = {
            "AUTH_SVR_RESPONSE": response,
            "AUTH_VERSION_NO": str(version),
            "AUTH_SESSION_ID": "42",
            "AUTH_SERIAL_NUM": "4711",
            "AUTH_MAX_OPEN_CURSORS": "300",
        }
        return responses.pairs([Pair(key, value) for key, value in given.items()])

    async def _execute(self, request: Execute) -> None:
        assert request.sql is not None
        sql = request.sql.strip()
        self._server.statements.append(sql)
        if self._server.faults.on_statement:
            self._server.faults.on_statement(sql)
        await self._fall_silent("execute")
        if not sql.upper().startswith(("SELECT", "WITH")):
            self._change_session(sql)
            await self._stream.answer(self._outcome(cursor=next(self._numbers)))
            return

        def run() -> Result:
            database = self._frozen or self._server.database
            return answer(database, sql, request.binds, user=self._user)

        number = next(self._numbers)
        self._cursors[number] = opened = OpenCursor(run)
        described = responses.describe(opened.result.columns, self._server.field_version)
        if request.describes_only or not request.fetches or _must_be_defined(opened.result.columns):
            await self._stream.answer(described + self._outcome(cursor=number))
            return
        await self._send_rows(number, request.rows, lead=described)

    async def _define(self, request: Execute) -> None:
        self._cursor(request.cursor).defines = request.defines
        await self._stream.answer(self._outcome(cursor=request.cursor))

    async def _fetch(self, request: Fetch) -> None:
        await self._fall_silent("fetch")
        opened = self._cursor(request.cursor)
        if request.restart:
            opened.restart()
        await self._send_rows(request.cursor, request.rows, lead=b"")

    def _cursor(self, number: int) -> OpenCursor:
        if number not in self._cursors:
            raise OracleError(1001, "invalid cursor")
        return self._cursors[number]

    async def _send_rows(self, number: int, wanted: int, *, lead: bytes) -> None:
        opened, faults = self._cursors[number], self._server.faults
        if any(define.type_number in UNSUPPORTED for define in opened.defines):
            raise OracleError(3115, "unsupported network datatype or representation")
        await asyncio.sleep(faults.pause_s)
        chunk = list(islice(opened.rows, wanted))
        opened.sent += len(chunk)
        if faults.drop_after_rows is not None and opened.sent > faults.drop_after_rows:
            self._stream.drop()
            raise HungUpError
        if faults.error_after_rows and opened.sent > faults.error_after_rows[0]:
            raise faults.error_after_rows[1]
        finished = len(chunk) < wanted
        body = responses.rows(opened.result.columns, chunk)
        end = self._outcome(cursor=number, row_count=opened.sent, finished=finished)
        await self._stream.answer(lead + body + end)

    def _change_session(self, sql: str) -> None:
        words = sql.upper().split()
        if words[:2] == ["ALTER", "SESSION"]:
            return
        if words == ["SET", "TRANSACTION", "READ", "ONLY"]:
            database = self._server.database
            self._frozen = replace(database, tables=[*database.tables])
            return
        raise OracleError(900, "invalid SQL statement")

    async def _fall_silent(self, point: str) -> None:
        """If told to, say nothing until the client breaks off or goes away (both raise)."""
        if self._server.faults.silent_at == point:
            self._server.reached.setdefault(point, asyncio.Event()).set()
            await self._stream.data()

    def _outcome(
        self,
        *,
        cursor: int = 0,
        row_count: int = 0,
        error: OracleError | None = None,
        finished: bool = False,
    ) -> bytes:
        return responses.outcome(
            self._server.field_version,
            cursor=cursor,
            row_count=row_count,
            error=error,
            finished=finished,
            in_transaction=self._frozen is not None,
        )


def _must_be_defined(columns: tuple[Column, ...]) -> bool:
    return any(column.type.is_lob for column in columns)


@asynccontextmanager
async def oracle_server(
    database: OracleDatabase,
    *,
    field_version: int = V23AI,
    fast_login: bool = True,
    end_of_response: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[OracleServer]:
    """Run a server on a free port until the block ends; clients still there are cut off."""
    server = OracleServer(
        database,
        field_version=field_version,
        fast_login=fast_login,
        end_of_response=end_of_response,
    )
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
