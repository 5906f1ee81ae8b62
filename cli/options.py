"""Reading what was typed: mappings, filters, addresses of databases."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from cli.errors import UsageError

PASSWORD_VARIABLE = "TABULARIUM_SOURCE_PASSWORD"  # noqa: S105 - a name
KINDS = {"postgresql": "postgresql", "postgres": "postgresql", "oracle": "oracle"}
DEFAULT_PORTS = {"postgresql": 5432, "oracle": 1521}
S3 = "s3"
RECORD_PARAMETERS = frozenset({"q", "fields", "sort", "page", "limit", "cursor", "count"})
"""A column with such a name must be filtered by `__eq`."""


def mapping_of(pairs: Sequence[str], whole: str | None) -> dict[str, str | None]:
    """`--map "Full name=name"` and `--mapping '{"Full name": "name"}'` as one mapping.

    An empty right side, or null, drops the file's column.
    """
    mapping: dict[str, str | None] = {}
    if whole is not None:
        try:
            read = json.loads(whole)
        except ValueError as exc:
            raise UsageError(f"--mapping: this is no JSON: {exc}") from exc
        if not isinstance(read, dict) or not all(
            value is None or isinstance(value, str) for value in read.values()
        ):
            raise UsageError("--mapping: give an object of file column to table column or null")
        mapping |= read
    for pair in pairs:
        source, equals, target = pair.rpartition("=")
        if not equals or not source:
            raise UsageError(f"--map: {pair!r} is no FILE_COLUMN=TABLE_COLUMN")
        mapping[source] = target or None
    return mapping


def types_of(pairs: Sequence[str]) -> dict[str, str]:
    """`--type zip=TEXT`, as often as given, by column."""
    types: dict[str, str] = {}
    for pair in pairs:
        column, equals, kind = pair.rpartition("=")
        if not equals or not column or not kind:
            raise UsageError(f"--type: {pair!r} is no COLUMN=TYPE")
        types[column] = kind
    return types


def filters_of(words: Sequence[str]) -> list[tuple[str, str]]:
    """`age__gte=18 name=Ann` as query parameters."""
    filters = []
    for word in words:
        column, equals, value = word.partition("=")
        if not equals or not column:
            raise UsageError(f"{word!r} is no filter; write column=value or column__gte=value")
        filters.append((f"{column}__eq" if column in RECORD_PARAMETERS else column, value))
    return filters


def assigned(words: Sequence[str]) -> dict[str, Any]:
    """`name=Ann tags:=["a"]` as a record: a text, which the server reads by the column's type.

    Behind `:=` stands JSON, so that `name:=null` clears it. Raises UsageError.
    """
    record: dict[str, Any] = {}
    for word in words:
        left, equals, value = word.partition("=")
        column = left.removesuffix(":")
        if not equals or not column:
            raise UsageError(f"{word!r} is no value; write column=text or column:=JSON")
        if column in record:
            raise UsageError(f"the column {column!r} is given twice")
        record[column] = _json(value, of=word) if left.endswith(":") else value
    return record


def json_of(given: str, *, option: str) -> Any:
    """JSON out of standard input (`-`), out of the argument itself, or out of a file."""
    if given == "-":
        text = sys.stdin.read()
    elif given.lstrip().startswith(("[", "{")):
        text = given
    else:
        try:
            text = Path(given).read_text(encoding="utf-8")
        except OSError as exc:
            raise UsageError(f"{option}: {given} cannot be read ({exc.strerror})") from exc
        except UnicodeDecodeError as exc:
            raise UsageError(f"{option}: {given} is not UTF-8 text") from exc
    return _json(text, of=option)


def _json(text: str, *, of: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as exc:
        raise UsageError(f"{of}: this is no JSON: {exc}") from exc


@dataclass(frozen=True)
class DatabaseAddress:
    """A database to import from: a saved source's id, or a whole address."""

    source_id: int | None
    fields: dict[str, str | int | bool]
    """As the API's `source` has them, the password left out."""
    password: str | None

    @classmethod
    def parsed(cls, text: str) -> "DatabaseAddress":
        """`7`, `postgresql://user@host:5432/database`, `oracle://user@host:1521/service`.

        Oracle also takes `?sid=NAME` in place of a service. Raises UsageError.
        """
        if text.isdecimal():
            return cls(source_id=int(text), fields={}, password=None)
        parts = urlsplit(text)
        kind = KINDS.get(parts.scheme)
        if kind is None or parts.hostname is None or parts.username is None:
            raise UsageError(
                "--from-database: write postgresql://user@host:5432/database,"
                " oracle://user@host:1521/service, or the id of a saved source"
            )
        try:
            port = parts.port or DEFAULT_PORTS[kind]
        except ValueError as exc:
            raise UsageError(f"--from-database: {exc}") from exc
        fields: dict[str, str | int | bool] = {
            "kind": kind,
            "host": parts.hostname,
            "port": port,
            "user": unquote(parts.username),
            **_database_fields(kind, unquote(parts.path.lstrip("/")), parse_qs(parts.query)),
        }
        given = unquote(parts.password) if parts.password is not None else None
        return cls(
            source_id=None, fields=fields, password=given or os.environ.get(PASSWORD_VARIABLE)
        )

    def password_or_ask(self) -> str:
        """The password that was given, else what is typed now, unseen."""
        if self.password is not None:
            return self.password
        files = self.fields.get("kind") == S3
        asked = "Secret access key" if files else "Password of the database"
        return str(typer.prompt(asked, hide_input=True, err=True))


def source_address(text: str) -> DatabaseAddress:
    """An address that can be saved: a database's, or `s3://ACCESS-KEY@region`.

    In place of a region of AWS, another server's host and port: `s3://KEY@host:9000?region=name`.
    Raises UsageError.
    """
    parts = urlsplit(text)
    if parts.scheme != S3:
        address = DatabaseAddress.parsed(text)
        if address.source_id is not None:
            raise UsageError(f"{text!r} is no address of a source")
        return address
    query = parse_qs(parts.query)
    try:
        port = parts.port
    except ValueError as exc:
        raise UsageError(f"{text!r}: {exc}") from exc
    if not parts.username or not parts.hostname or parts.path.strip("/") or set(query) - {"region"}:
        raise UsageError("write s3://ACCESS-KEY@eu-central-1, or s3://ACCESS-KEY@host:9000")
    fields: dict[str, str | int | bool] = {"kind": S3, "user": unquote(parts.username)}
    if port is None and "." not in parts.hostname:
        fields["region"] = parts.hostname
    else:
        fields["host"] = parts.hostname
    if port is not None:
        fields["port"] = port
    if "region" in query:
        fields["region"] = query["region"][0]
    given = unquote(parts.password) if parts.password is not None else None
    return DatabaseAddress(
        source_id=None, fields=fields, password=given or os.environ.get(PASSWORD_VARIABLE)
    )


def _database_fields(kind: str, name: str, query: dict[str, list[str]]) -> dict[str, str]:
    unknown = set(query) - ({"sid"} if kind == "oracle" else set())
    if unknown:
        raise UsageError(f"--from-database: {', '.join(sorted(unknown))} is not known here")
    if kind == "oracle" and "sid" in query:
        return {"sid": query["sid"][0]}
    if not name:
        raise UsageError("--from-database: the address names no database")
    return {"service_name" if kind == "oracle" else "database": name}
