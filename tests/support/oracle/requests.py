"""What clients send, read off the wire into frozen dataclasses."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.oracle.primitives import Reader
from tests.support.oracle.types import number_decoded

PROTOCOL, DATA_TYPES, FUNCTION, PIGGYBACK, FAST_LOGIN = 0x01, 0x02, 0x03, 0x11, 0x22
LOGIN_ONE, LOGIN_TWO = 0x76, 0x73
REEXECUTE, FETCH, LOGOFF, COMMIT, ROLLBACK, REEXECUTE_AND_FETCH, EXECUTE, PING = (
    4, 5, 9, 14, 15, 78, 94, 147,
)  # fmt: skip
CLOSE_CURSORS, END_TO_END, SET_SCHEMA = 105, 135, 152
OPTION_DEFINE, OPTION_FETCH, OPTION_DESCRIBE = 0x10, 0x40, 0x20000
TOKENS_FROM = 18
"""The field version from which requests carry a token."""


class UnknownRequestError(Exception):
    """The client asks for something that the test server does not speak."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """The parts of a negotiation that came in one message: protocol and data types."""

    protocol: bool = False
    data_types: bool = False
    login: "Login | None" = None


@dataclass(frozen=True, slots=True)
class Login:
    """Phase one or two, and the pairs given."""

    phase: int
    user: str
    pairs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Define:
    """As what the client wants a column: TTC's type number."""

    type_number: int


@dataclass(frozen=True, slots=True)
class Execute:
    """A first execute (with SQL), or a second one with defines (with a cursor)."""

    cursor: int
    sql: str | None
    rows: int
    fetches: bool
    describes_only: bool
    binds: tuple[object, ...]
    defines: tuple[Define, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """More rows of a cursor; `restart` begins again."""

    cursor: int
    rows: int
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Commit, rollback, ping or logoff."""

    function: int


Request = Negotiation | Login | Execute | Fetch | Call


def parsed(reader: Reader, field_version: int) -> Request:
    """Read one message; raises IncompleteError until all of it is there."""
    kind = reader.u8()
    if kind in (PROTOCOL, DATA_TYPES, FAST_LOGIN):
        return _negotiation(reader, kind)
    while kind == PIGGYBACK:
        _pass_piggyback(reader, field_version)
        kind = reader.u8()
    if kind != FUNCTION:
        raise UnknownRequestError(f"message {kind}")
    function = _function(reader, field_version)
    if function in (COMMIT, ROLLBACK, PING, LOGOFF):
        return Call(function)
    if function not in READERS:
        raise UnknownRequestError(f"function {function}")
    return READERS[function](reader, field_version)


def _negotiation(reader: Reader, kind: int) -> Negotiation:
    if kind != FAST_LOGIN:
        reader.raw(reader.left)
        return Negotiation(protocol=kind == PROTOCOL, data_types=kind == DATA_TYPES)
    reader.skip_to(bytes([FUNCTION, LOGIN_ONE]))
    reader.raw(3)
    return Negotiation(protocol=True, data_types=True, login=_login(reader, LOGIN_ONE))


def _function(reader: Reader, field_version: int) -> int:
    function = reader.u8()
    reader.u8()
    if field_version >= TOKENS_FROM:
        reader.ub()
    return function


def _pass_piggyback(reader: Reader, field_version: int) -> None:
    function = _function(reader, field_version)
    if function == CLOSE_CURSORS:
        reader.u8()
        for _ in range(reader.ub()):
            reader.ub()
    elif function == SET_SCHEMA:
        reader.skip("b2")
    elif function == END_TO_END:
        reader.skip("bbu")
        lengths = []
        for shape in ("", "", "", "bubu", "bubu"):
            # Between action and client info, and before the operation, stand unused fields.
            reader.skip(shape)
            reader.u8()
            lengths.append(reader.ub())
        for length in lengths:
            if length:
                reader.bytes_()
    else:
        raise UnknownRequestError(f"piggyback {function}")


def _login(reader: Reader, phase: int) -> Login:
    has_user = reader.u8()
    reader.skip("uub")
    count = reader.ub()
    reader.skip("bb")
    user = (reader.bytes_() or b"").decode() if has_user else ""
    pairs = {}
    for _ in range(count):
        key, value = reader.two_lengths(), reader.two_lengths()
        reader.ub()
        pairs[key.decode()] = value.decode()
    return Login(phase=phase, user=user, pairs=pairs)


def _execute(reader: Reader, field_version: int) -> Execute:
    options, cursor, has_sql = reader.ub(), reader.ub(), reader.u8()
    reader.skip("u" + "bubbu")
    rows = reader.ub()
    reader.skip("ub")
    bind_count = reader.ub()
    reader.skip("bbbbb" + "b")
    define_count = reader.ub()
    reader.skip("ubbbubuubub")
    if field_version >= 8:
        reader.skip("bubub")
    if field_version >= 9:
        reader.skip("bu")
    sql = (reader.bytes_() or b"").decode() if has_sql else None
    reader.skip("u" * 13)
    binds: tuple[object, ...] = ()
    defines: tuple[Define, ...] = ()
    if define_count:
        defines = tuple(Define(_metadata(reader, field_version)) for _ in range(define_count))
    elif bind_count:
        kinds = [_metadata(reader, field_version) for _ in range(bind_count)]
        reader.u8()
        binds = tuple(_bound(reader, kind) for kind in kinds)
    return Execute(
        cursor=cursor,
        sql=sql,
        rows=rows,
        fetches=bool(options & OPTION_FETCH),
        describes_only=bool(options & OPTION_DESCRIBE),
        binds=binds,
        defines=defines,
    )


def _metadata(reader: Reader, field_version: int) -> int:
    type_number = reader.u8()
    reader.skip("bbb" + "uuu" + "2" + "uubu" + ("u" if field_version >= 8 else ""))
    return type_number


def _bound(reader: Reader, type_number: int) -> object:
    data = reader.bytes_()
    if data is None:
        return None
    decode: Callable[[bytes], object] = number_decoded if type_number == 2 else bytes.decode
    return decode(data)


def _fetch(reader: Reader, _field_version: int) -> Fetch:
    return Fetch(cursor=reader.ub(), rows=reader.ub())


def _again(reader: Reader, _field_version: int) -> Fetch:
    again = Fetch(cursor=reader.ub(), rows=reader.ub(), restart=True)
    reader.raw(reader.left)
    return again


READERS: dict[int, Callable[[Reader, int], Request]] = {
    LOGIN_ONE: lambda reader, _version: _login(reader, LOGIN_ONE),
    LOGIN_TWO: lambda reader, _version: _login(reader, LOGIN_TWO),
    EXECUTE: _execute,
    FETCH: _fetch,
    REEXECUTE: _again,
    REEXECUTE_AND_FETCH: _again,
}
