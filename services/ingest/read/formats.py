"""The table of file formats, in the order in which they are asked; the last takes any text."""

import asyncio

from services.ingest.domain import FileFormat, ImportOptions
from services.ingest.errors import RecordTooLargeError
from services.ingest.plan.columns import Others, check_columns
from services.ingest.read.csv.file import CSV
from services.ingest.read.head import Head, read_head
from services.ingest.read.json.file import JSON, NDJSON
from services.ingest.read.limits import Limits
from services.ingest.read.source import Format, Source, StoredBytes
from shared.contracts.records import TableContract

FORMATS: tuple[Format, ...] = (JSON, NDJSON, CSV)


async def opened(
    stored: StoredBytes, *, file_name: str, options: ImportOptions, limits: Limits | None = None
) -> Source:
    """A stored file as a source, by its head; raises FileRefusedError."""
    head = await read_head(stored, file_name=file_name, options=options, limits=limits or Limits())
    return await asyncio.to_thread(opened_by_head, stored, head, options)


def opened_by_head(stored: StoredBytes, head: Head, options: ImportOptions) -> Source:
    """The same with a head that was read already; CPU-bound."""
    return _format_of(head, options).opened(stored, head, options)


def check_upload(
    stored: StoredBytes,
    first: bytes,
    *,
    file_name: str,
    options: ImportOptions,
    contract: TableContract | None,
    others: Others = Others.REFUSED,
    limits: Limits | None = None,
) -> None:
    """Refuse at upload what can be refused by the first bytes of a file; CPU-bound.

    `first`: as stored, some kilobytes or all of it. `contract`: the target's, None where the
    table is to be made. Raises FileRefusedError.
    """
    limits = limits or Limits()
    head = Head.of(
        first,
        complete=len(first) == stored.size_bytes,
        file_name=file_name,
        options=options,
        limits=limits,
    )
    try:
        source = opened_by_head(stored, head, options)
    except RecordTooLargeError:
        if head.complete or len(first) >= limits.block_bytes:
            raise
        return  # the header ends behind what was seen
    if head.complete or contract is None or not source.ways.open_ended:
        check_columns(source, contract, options, others=others)


def _format_of(head: Head, options: ImportOptions) -> Format:
    if options.format is not FileFormat.AUTO:
        return next(each for each in FORMATS if each.name is options.format)
    return next(each for each in FORMATS if each.recognises(head))
