"""Exports: the same rows as a list, streamed as a file."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncEngine

from services.records.domain import Column, Level, Table
from services.records.files.arrow import arrow_file
from services.records.files.parquet import parquet
from services.records.files.pieces import PIECE_BYTES, gzipped, json_array
from services.records.files.workbook import workbook
from services.records.query import parameters, statement
from services.records.query.export import (
    SHEET_CELL,
    SHEET_ROWS,
    ExportFormat,
    infinite,
    rows_of,
    sheet_size,
)
from services.records.query.parameters import Pairs
from services.records.query.plan import Numbers, Selection, SortKey
from services.records.repository import exports
from services.records.service.known_tables import KnownTables
from services.records.tables import BOOKS
from shared.contracts.auth import Caller
from shared.errors import InvalidInputError
from shared.process.places import Places
from shared.store.copying import gathered
from shared.store.engine import RawConnection, RawPool
from shared.store.transaction import transaction

COMPRESSED = frozenset({ExportFormat.PARQUET, ExportFormat.XLSX})
"""Formats that are compressed already."""
ZIP_LIMIT_BYTES = 2**31 - 1
"""The largest part that every program can read from a ZIP archive."""
JSON_OPTIONS = {"format": "csv", "delimiter": "\x02", "quote": "\x01", "escape": "\x01"}
"""A JSON text holds no control character, so COPY writes it as it is."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is to be exported, and how."""

    format: ExportFormat
    selection: Selection
    fields: tuple[Column, ...]
    order: tuple[SortKey, ...]
    excel_safe: bool
    numbers: Numbers
    gzip: bool


@dataclass(frozen=True, slots=True)
class Export:
    """A running export: its first piece is there, and with it the certainty that it runs."""

    table: str
    format: ExportFormat
    gzip: bool
    pieces: AsyncGenerator[bytes, None]
    held: AsyncExitStack
    """Its place among the exports."""

    async def close(self) -> None:
        """End it, and give its connection and its place back."""
        try:
            await self.pieces.aclose()
        finally:
            await self.held.aclose()


@dataclass(frozen=True, slots=True)
class Exports:
    """Exports of a table's records.

    `pool` is apart from that of records, so that slow readers take nothing from the others; a
    `replica` of the database takes what it can of them.
    """

    engine: AsyncEngine
    pool: RawPool
    tables: KnownTables
    places: Places
    replica: "RawPool | None" = None

    async def start(self, caller: Caller, name: str, pairs: Pairs, *, gzip: bool) -> Export:
        """Start an export; whoever calls must `close` it.

        Raises as `authorised`, InvalidInputError naming the parameter, UnavailableError.
        """
        async with AsyncExitStack() as held:
            await held.enter_async_context(self.places.one(caller.sub))
            export = await self._started(caller, name, list(pairs), gzip=gzip, held=held)
            # Whoever closes the export gives its place back.
            return replace(export, held=held.pop_all())

    async def _started(
        self, caller: Caller, name: str, pairs: Pairs, *, gzip: bool, held: AsyncExitStack
    ) -> Export:
        pairs = list(pairs)

        async def work(table: Table) -> Export:
            plan = plan_of(table, pairs, gzip=gzip)
            pieces = self._pieces(table, plan)
            try:
                first = await anext(pieces, b"")
            except BaseException:
                await pieces.aclose()
                raise
            return Export(table.name, plan.format, plan.gzip, _from(first, pieces), held)

        export = await self.tables.on(name, caller, Level.VIEWER, work)
        try:
            async with transaction(self.engine, BOOKS) as tx:
                await tx.record(
                    caller,
                    "records.export",
                    export.table,
                    format=export.format,
                    parameters=[name for name, _ in pairs],
                )
        except BaseException:
            await asyncio.shield(export.pieces.aclose())
            raise
        return export

    async def _pieces(self, table: Table, plan: ExportPlan) -> AsyncGenerator[bytes, None]:
        async with AsyncExitStack() as stack:
            pool = await exports.place_of(self.pool, self.replica)
            connection = await stack.enter_async_context(exports.held(pool, table))
            huge = plan.format is ExportFormat.XLSX and await _is_huge(connection, table, plan)
            if plan.format in (ExportFormat.PARQUET, ExportFormat.ARROW):
                await _refuse_infinities(connection, table, plan)
            as_json = plan.format in (ExportFormat.JSON, ExportFormat.NDJSON)
            binds = statement.Binds()
            query = rows_of(
                table,
                plan.selection,
                plan.fields,
                plan.order,
                binds,
                as_json=plan.numbers if as_json else None,
                excel_safe=plan.excel_safe and plan.format is ExportFormat.CSV,
            )
            options: dict[str, object] = {"format": "csv"}
            if as_json:
                options = dict(JSON_OPTIONS)
            elif plan.format is ExportFormat.CSV:
                options["header"] = True
            copied = exports.copied(connection, table, query, binds.values, **options)
            stack.push_async_callback(copied.aclose)
            async for piece in _formed(copied, plan, table=table, huge=huge):
                yield piece


def plan_of(table: Table, pairs: Pairs, *, gzip: bool) -> ExportPlan:
    """The parameters of an export; raises InvalidInputError naming the parameter."""
    asked: tuple[Mapping[str, str], list[tuple[str, str]]] = parameters.parted(
        pairs, parameters.EXPORT_PARAMETERS
    )
    given, filters = asked
    try:
        form = ExportFormat(given.get("format", ExportFormat.CSV.value))
    except ValueError as exc:
        raise InvalidInputError.of(
            "format", "invalid_choice", f"send one of {', '.join(ExportFormat)}"
        ) from exc
    return ExportPlan(
        format=form,
        selection=parameters.selection_of(table, filters, given),
        fields=parameters.fields_of(table, given.get("fields")),
        order=parameters.order_of(table, given.get("sort")),
        excel_safe=parameters.flag(given, "excel_safe"),
        numbers=parameters.numbers_of(given.get("numbers")),
        gzip=gzip and form not in COMPRESSED,
    )


async def _is_huge(connection: RawConnection, table: Table, plan: ExportPlan) -> bool:
    """Whether a sheet may be more than an old ZIP archive can hold.

    Raises InvalidInputError for what Excel cannot hold.
    """
    binds = statement.Binds()
    query = sheet_size(table, plan.selection, plan.fields, binds)
    rows, size_bytes, too_long = await exports.sheet_size(connection, table, query, binds.values)
    if rows > SHEET_ROWS:
        message = f"a sheet holds {SHEET_ROWS:,} records; filter more, or export csv or parquet"
        raise InvalidInputError.of("format", "too_many_rows", message)
    if too_long:
        names = ", ".join(too_long)
        message = (
            f"a cell holds {SHEET_CELL:,} characters, and {names} has longer values; leave it out"
            " by `fields`, or export another format"
        )
        raise InvalidInputError.of("format", "too_long", message)
    return size_bytes > ZIP_LIMIT_BYTES


async def _refuse_infinities(connection: RawConnection, table: Table, plan: ExportPlan) -> None:
    """Raise InvalidInputError for days and moments that a binary file has no value for."""
    binds = statement.Binds()
    query = infinite(table, plan.selection, plan.fields, binds)
    names = query and await exports.infinite(connection, table, query, binds.values)
    if names:
        message = (
            f"{plan.format} has no infinity, which {', '.join(names)} holds; leave it out by"
            " `fields` or filters, or export another format"
        )
        raise InvalidInputError.of("format", "out_of_range", message)


def _formed(
    copied: AsyncIterator[bytes], plan: ExportPlan, *, table: Table, huge: bool
) -> AsyncIterator[bytes]:
    pieces = gathered(copied, PIECE_BYTES)
    if plan.format is ExportFormat.JSON:
        pieces = json_array(pieces)
    elif plan.format is ExportFormat.PARQUET:
        pieces = parquet(copied, plan.fields)
    elif plan.format is ExportFormat.ARROW:
        pieces = arrow_file(copied, plan.fields)
    elif plan.format is ExportFormat.XLSX:
        pieces = workbook(copied, plan.fields, name=table.name, huge=huge)
    return gzipped(pieces) if plan.gzip else pieces


async def _from(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()
