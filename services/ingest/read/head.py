"""What a file's first bytes tell: its compression, encoding, format, dialect and columns."""

import re
from dataclasses import dataclass, replace

from services.ingest.domain import FileFormat, FormatFound, ImportOptions
from services.ingest.errors import RecordTooLargeError
from services.ingest.plan.columns import checked_names, plan_columns
from services.ingest.read.charset import EncodingFound, encoding_of
from services.ingest.read.csv.dialect import dialect_of, split_header, swapped
from services.ingest.read.csv.quoting import Dialect
from services.ingest.read.decompress import Transcoder, compression_of, decompressor
from services.ingest.read.json.frames import head_columns
from services.ingest.read.kinds import refuse_kind
from services.ingest.read.limits import Limits
from shared.contracts.records import TableContract

_ARRAY = re.compile(rb"\s*\[\s*(?:\{\s*[\"}]|\])")
_OBJECT = re.compile(rb"\s*\{\s*[\"}]")
_SUFFIXES = {
    "json": FileFormat.JSON,
    "ndjson": FileFormat.NDJSON,
    "jsonl": FileFormat.NDJSON,
}


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the first bytes of a file tell."""

    format: FormatFound
    encoding: EncodingFound
    columns: tuple[str, ...]
    dialect: Dialect | None = None
    """None for JSON."""
    header_bytes: int = 0
    """UTF-8 bytes up to the first row."""
    header_lines: int = 0
    bare_cr: bool = False
    """Lines end with CR alone."""


def inspect_upload(
    head: bytes,
    *,
    file_name: str,
    options: ImportOptions,
    contract: TableContract | None = None,
    ignoring_others: bool = False,
    complete: bool = False,
    limits: Limits | None = None,
) -> FormatFound:
    """Refuse at upload what can be refused by the first bytes of a file.

    `head`: as stored, some kilobytes or (`complete`) all of it. With the target's `contract` the
    header is checked too, `ignoring_others` as in `plan_columns`. Raises FileRefusedError.
    """
    limits = limits or Limits()
    try:
        inspected = inspect_stored(
            head, file_name=file_name, options=options, complete=complete, limits=limits
        )
    except RecordTooLargeError:
        if complete or len(head) >= limits.block_bytes:
            raise
        return FormatFound(name=options.format)  # the header ends behind what was seen
    if contract is not None and (inspected.dialect is not None or complete):
        plan_columns(inspected.columns, contract, options, ignoring_others=ignoring_others)
    return inspected.format


def inspect_stored(
    head: bytes, *, file_name: str, options: ImportOptions, complete: bool, limits: Limits
) -> Inspected:
    """What the first bytes of a stored, perhaps compressed file tell; raises FileRefusedError."""
    compression = compression_of(head)
    if compression is not None:
        head, complete = _decompressed_head(head, compression, limits, complete=complete)
    inspected = inspect_head(
        head, file_name=file_name, options=options, complete=complete, limits=limits
    )
    return replace(inspected, format=replace(inspected.format, compression=compression))


def inspect_head(
    head: bytes, *, file_name: str, options: ImportOptions, complete: bool, limits: Limits
) -> Inspected:
    """What the first decompressed bytes tell; raises FileRefusedError."""
    refuse_kind(head)
    encoding = encoding_of(head, options.encoding, complete=complete)
    transcoder = Transcoder(encoding.codec, skip_bytes=encoding.bom_bytes, swapped=swapped(options))
    text = transcoder.feed(head, final=complete)
    name = format_of(text, options, file_name=file_name)
    if name is not FileFormat.CSV:
        columns = checked_names(head_columns(text, name, limits, complete=complete))
        return Inspected(FormatFound(name=name, encoding=encoding.codec), encoding, columns)
    if not complete and b"\n" in text:
        text = text[: text.rfind(b"\n") + 1]
    bare_cr = b"\r" in text and b"\n" not in text
    if bare_cr:
        text = text.replace(b"\r", b"\n")
    dialect = dialect_of(text, options)
    header, end = split_header(text, dialect, complete=complete)
    quote = dialect.quote
    found = FormatFound(
        name=name,
        encoding=encoding.codec,
        delimiter=dialect.written,
        quote=quote.decode() if quote else None,
    )
    lines = text.count(b"\n", 0, end)
    return Inspected(
        found, encoding, checked_names(header), dialect, end, header_lines=lines, bare_cr=bare_cr
    )


def format_of(text: bytes, options: ImportOptions, *, file_name: str) -> FileFormat:
    """The named format, or what the text looks like, or what the file's name says."""
    if options.format is not FileFormat.AUTO:
        return options.format
    if _ARRAY.match(text):
        return FileFormat.JSON
    if _OBJECT.match(text):
        return FileFormat.NDJSON
    suffix = file_name.lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    return _SUFFIXES.get(suffix, FileFormat.CSV)


def _decompressed_head(
    head: bytes, compression: str, limits: Limits, *, complete: bool
) -> tuple[bytes, bool]:
    """The head decompressed, as far as it goes, and whether it is the whole file."""
    pieces: list[bytes] = []
    size = 0
    codec = decompressor(compression, limits)
    for piece in codec.feed(head):
        pieces.append(piece)
        size += len(piece)
        if size >= limits.block_bytes:
            return b"".join(pieces), False
    if complete:
        codec.finish()
    return b"".join(pieces), complete
