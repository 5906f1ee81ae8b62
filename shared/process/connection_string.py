"""PostgreSQL connection strings as providers print them, in the form that asyncpg takes.

The parameters are libpq's ("Connection Strings", "Parameter Key Words" in PostgreSQL's manual);
spellings of other drivers that providers print are understood too (`ssl=true`, `postgres://`,
`sslmode=no-verify`, `postgresql+asyncpg://`).
"""

import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pydantic import AfterValidator, SecretStr

SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg")
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
VERIFYING = ("verify-ca", "verify-full")
SPELLINGS = {
    "true": "require",
    "1": "require",
    "on": "require",
    "no-verify": "require",
} | dict.fromkeys(("false", "0", "off"), "disable")
SESSIONS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")

TAKEN = frozenset(
    {
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
        *("host", "port", "user", "password", "dbname", "options"),
    }
)
"""What reaches asyncpg as it is; `options` goes on to the server."""

IDLE = frozenset(
    {
        *("application_name", "fallback_application_name", "connect_timeout", "client_encoding"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
        *("tcp_user_timeout", "sslcompression", "sslsni", "load_balance_hosts", "channel_binding"),
    }
)
"""What changes nothing here: each process has its own name and time limits, and asyncpg has no
channel binding, so that `sslmode=verify-full` alone proves the server."""


class ConnectionStringError(ValueError):
    """A connection string that cannot be used; the message is one line and holds no password."""


def connection_string(text: str) -> str:
    """The same server, log-in and TLS as a DSN that asyncpg takes.

    `sslmode=verify-…` without `sslrootcert`, or with `sslrootcert=system`, trusts the authorities
    of the system, as psql does with `system`. Raises ConnectionStringError.
    """
    parts = _split(text.strip())
    given = _parameters(parts.query)
    mode = _mode(given)
    if mode is not None:
        given["sslmode"] = mode
    if mode in VERIFYING and given.get("sslrootcert", "system") == "system":
        given["sslrootcert"] = _authorities()
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        if name in given and not Path(given[name]).is_file():
            raise ConnectionStringError(f"{name} names no file: {given[name]}")
    wanted = given.get("target_session_attrs")
    if wanted is not None and wanted not in SESSIONS:
        raise ConnectionStringError(f"target_session_attrs is one of {', '.join(SESSIONS)}")
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    return f"postgresql://{_authority(parts)}{parts.path}{'?' if query else ''}{query}"


def servers_of(dsn: str) -> tuple[tuple[str, int], ...]:
    """Host and port of each server that a connection string names."""
    parts = urlsplit(dsn)
    given = dict(parse_qsl(parts.query))
    hosts = (parts.netloc.rpartition("@")[2] or given.get("host") or "localhost").split(",")
    ports = given.get("port", "").split(",")
    return tuple(
        _server(host, ports[place] if place < len(ports) else ports[-1])
        for place, host in enumerate(hosts)
    )


def database_of(dsn: str) -> str:
    """The database that a connection string names; the log-in's own name without one."""
    parts = urlsplit(dsn)
    named = unquote(parts.path.removeprefix("/")) or dict(parse_qsl(parts.query)).get("dbname")
    return named or unquote(parts.netloc.rpartition("@")[0].partition(":")[0])


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError as exc:
        raise ConnectionStringError(f"it is no URL: {exc}") from None
    if parts.scheme not in SCHEMES:
        raise ConnectionStringError("it begins with postgresql://")
    if parts.fragment:
        raise ConnectionStringError("a # in it is written %23")
    if "@" in parts.path or ("@" in parts.query and "@" not in parts.netloc):
        raise ConnectionStringError("a / or ? in a name or password is written %2F or %3F")
    return parts


def _authority(parts: SplitResult) -> str:
    login, at, hosts = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    for host in hosts.split(","):
        _server(host, "")
    # Quoted again, since asyncpg parts at the first @; a % that begins no escape stays itself.
    again = quote(unquote(user), safe="") + colon + quote(unquote(password), safe="")
    return f"{again}{at}{hosts}"


def _parameters(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "ssl":
            given["sslmode"] = value
        elif name == "gssencmode" and value != "require":
            continue
        elif name in TAKEN:
            given[name] = value
        elif name not in IDLE:
            raise ConnectionStringError(f"the parameter {name[:40]!r} is not known; leave it out")
    return given


def _mode(given: dict[str, str]) -> str | None:
    word = given.get("sslmode")
    mode = None if word is None else SPELLINGS.get(word.lower(), word.lower())
    if mode is not None and mode not in MODES:
        raise ConnectionStringError(f"sslmode is one of {', '.join(MODES)}")
    return mode


def _authorities() -> str:
    file = ssl.get_default_verify_paths().cafile
    if file is None:
        raise ConnectionStringError("the system has no authorities: name a file in sslrootcert")
    return file


def _server(text: str, port: str) -> tuple[str, int]:
    host, colon, own = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, own = text, port
    try:
        number = int(own or 5432)
    except ValueError:
        raise ConnectionStringError(f"the port {own[:40]!r} is not a number") from None
    if not 0 < number < 65536:
        raise ConnectionStringError(f"the port {number} is not between 1 and 65535")
    return unquote(host).strip("[]"), number


def _checked(url: SecretStr) -> SecretStr:
    return SecretStr(connection_string(url.get_secret_value()))


DatabaseUrl = Annotated[SecretStr, AfterValidator(_checked)]
"""A setting that holds a connection string; kept in asyncpg's form."""
