"""The table of file formats, in the order in which they are asked; the last takes any text."""

import zipfile
from dataclasses import dataclass, replace
from io import BytesIO

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.errors import OptionError
from services.ingest.plan.columns import Others, check_columns
from services.ingest.plan.contracts import known_names
from services.ingest.read.archive.member import MemberBytes, is_archive, is_zip, member_of
from services.ingest.read.columnar.file import ARROW, PARQUET
from services.ingest.read.csv.file import CSV
from services.ingest.read.errors import DamagedFileError, NestedArchiveError, RecordTooLargeError
from services.ingest.read.head import Head, read_head
from services.ingest.read.json.file import JSON, NDJSON
from services.ingest.read.limits import Limits
from services.ingest.read.sheets.file import SHEETS, SheetFile
from services.ingest.read.source import Format, Source, StoredBytes, WholeFormat
from shared.contracts.records import TableContract
from shared.process.threads import beside_loop

WHOLE_FORMATS: tuple[WholeFormat, ...] = (SHEETS, PARQUET, ARROW)
"""Asked first, by first bytes that no text begins with."""
FORMATS: tuple[Format, ...] = (JSON, NDJSON, CSV)


@dataclass(frozen=True, slots=True)
class Contents:
    """A file as a source, with what else there was to choose from."""

    source: Source
    members: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()


async def opened(
    stored: StoredBytes,
    *,
    file_name: str,
    options: ImportOptions,
    contract: TableContract | None = None,
    limits: Limits | None = None,
) -> Source:
    """A stored file, or the member of a stored archive, as a source.

    `contract` is the target's, if there is one. Raises FileRefusedError.
    """
    found = await contents(
        stored, file_name=file_name, options=options, contract=contract, limits=limits
    )
    return found.source


async def contents(
    stored: StoredBytes,
    *,
    file_name: str,
    options: ImportOptions,
    contract: TableContract | None = None,
    limits: Limits | None = None,
) -> Contents:
    """The same, with the names of the archive's members and the workbook's sheets."""
    head = await read_head(
        stored,
        file_name=file_name,
        options=options,
        limits=limits or Limits(),
        known=known_names(contract),
    )
    options = head.read_by(options)
    whole = _whole_format_of(head, options)
    members: tuple[str, ...] = ()
    if whole is None and is_archive(head):
        if is_zip(head) and head.compression is not None:
            raise NestedArchiveError(
                f"inside the {head.compression} file is an archive: unpack it once"
            )
        member, head = await _member(stored, head, options)
        stored, members = member, member.members
        whole = _whole_format_of(head, options)
    elif options.member is not None:
        raise OptionError.of("member", "invalid_option", "the file is no archive")
    if whole is not None:
        source = await whole.opened(stored, head, options)
        return Contents(source, members, source.sheets if isinstance(source, SheetFile) else ())
    if options.sheet is not None:
        raise OptionError.of("sheet", "invalid_option", "the file is no workbook")
    source = await beside_loop(len(head.data), opened_by_head, stored, head, options)
    return Contents(source, members)


async def _member(
    archive: StoredBytes, head: Head, options: ImportOptions
) -> tuple[MemberBytes, Head]:
    """The file that an archive holds, and its head."""
    member = await member_of(archive, head, options)
    inner = await read_head(
        member,
        file_name=member.name,
        options=options,
        limits=head.limits,
        known=head.known,
    )
    if inner.compression is not None or (
        is_archive(inner) and _whole_format_of(inner, options) is None
    ):
        raise NestedArchiveError(
            f"{member.name!r} in the archive is packed once more: send what is in it"
        )
    return member, replace(inner, archive=member.kind, member=member.name)


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
        known=known_names(contract),
    )
    options = head.read_by(options)
    if is_archive(head) or _whole_format_of(head, options) is not None:
        if head.complete and is_zip(head) and not zipfile.is_zipfile(BytesIO(head.data)):
            raise DamagedFileError("the ZIP file or workbook breaks off: send it again")
        return  # what it holds stands at its end
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


def _whole_format_of(head: Head, options: ImportOptions) -> WholeFormat | None:
    if options.format is not FileFormat.AUTO:
        return next((each for each in WHOLE_FORMATS if options.format in each.names), None)
    return next((each for each in WHOLE_FORMATS if each.recognises(head)), None)
