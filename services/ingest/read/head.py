"""The first bytes of a stored file: enough to say what it is, and to refuse what it is not."""

import codecs
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.read.charset import EncodingFound, Transcoder, encoding_of, is_utf8
from services.ingest.read.decompress import compression_of, decompressor
from services.ingest.read.errors import NestedArchiveError
from services.ingest.read.kinds import refuse_binary, refuse_kind
from services.ingest.read.limits import Limits

_REPORT = re.compile(
    rb'_line"?(?P<between>.{1,4}?)"?_column"?(?P=between)"?_code"?(?P=between)"?_message'
    rb'(?:"?(?P=between)"?_raw)?"?\s*$'
)


class _Chunks(Protocol):
    def chunks(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True)
class Head:
    """The first decompressed bytes of a file; `complete`: all of them.

    `encoding_option` is the encoding that the caller named.
    """

    data: bytes
    complete: bool
    compression: str | None
    file_name: str
    encoding_option: str | None
    force_encoding: bool
    limits: Limits
    archive: str | None = None
    """`zip` or `tar`, of a file that is the member `member` of one."""
    member: str | None = None
    known: frozenset[str] = frozenset()
    """Names that the target's columns have, or that it knows them by."""

    @classmethod
    def of(
        cls,
        data: bytes,
        *,
        complete: bool,
        file_name: str,
        options: ImportOptions,
        limits: Limits,
        known: frozenset[str] = frozenset(),
    ) -> "Head":
        """The head of a file whose first bytes, as stored, are `data`; raises FileRefusedError."""
        compression = compression_of(data)
        if compression is not None:
            data, complete = _decompressed(data, compression, limits, complete=complete)
            if compression_of(data) is not None:
                raise NestedArchiveError(
                    f"inside the {compression} file is another compressed one: unpack it once"
                )
        return cls(
            data=data,
            complete=complete,
            compression=compression,
            file_name=file_name,
            encoding_option=options.encoding,
            force_encoding=options.force_encoding,
            limits=limits,
            known=known,
        )

    @cached_property
    def is_report(self) -> bool:
        """Whether the first line ends with the columns of our own report of refused rows."""
        return _REPORT.search(self.data[:65_536].split(b"\n", 1)[0]) is not None

    @cached_property
    def encoding(self) -> EncodingFound:
        """The encoding of a text; raises FileRefusedError where this is none."""
        refuse_kind(self.data, as_text=True)
        named = self.encoding_option
        if self.is_report and is_utf8(self.data, complete=self.complete):
            named = None  # it was that of the file that the report is about
        found = encoding_of(self.data, named, complete=self.complete, force=self.force_encoding)
        if not found.codec.startswith(("utf-16", "utf-32")):
            refuse_binary(self.data)
        return found

    @cached_property
    def text(self) -> bytes:
        """A text in UTF-8; raises FileRefusedError where this is none."""
        encoding = self.encoding
        transcoder = Transcoder(encoding)
        return transcoder.feed(self.data, final=self.complete)

    @cached_property
    def decoded(self) -> str:
        """The same as characters; bytes that are no text are halves of surrogates."""
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        return decoder.decode(self.text, self.complete)

    def read_by(self, options: ImportOptions) -> ImportOptions:
        """The options by which the file is read: a report of refused rows is what it is.

        Those that came with it are of the file that it is about.
        """
        if not self.is_report:
            return options
        return replace(
            options,
            format=FileFormat.CSV,
            delimiter=None,
            quote=None,
            header_line="auto",
            footer_lines=0,
            fill_short=False,
            escape="none",
            comment=None,
            trim="auto",
            record_path=None,
            sheet=None,
            member=None,
        )

    def format_found(self, name: FileFormat, **facts: Any) -> FormatFound:
        """What the file is, with how it came packed."""
        return FormatFound(
            name=name, compression=self.archive or self.compression, member=self.member, **facts
        )

    @property
    def suffix(self) -> str:
        """The file name's last part in lower case, without that of a compression."""
        name = self.file_name.lower()
        for suffix in (".gz", ".zst", ".bz2", ".xz"):
            name = name.removesuffix(suffix)
        return name.rpartition(".")[2]


async def read_head(
    stored: _Chunks,
    *,
    file_name: str,
    options: ImportOptions,
    limits: Limits,
    known: frozenset[str] = frozenset(),
) -> Head:
    """The head of a stored file, about a block of it; raises FileRefusedError."""
    parts: list[bytes] = []
    size, complete = 0, True
    async for chunk in stored.chunks():
        parts.append(bytes(chunk))
        size += len(chunk)
        if size > limits.block_bytes:
            complete = False
            break
    return Head.of(
        b"".join(parts),
        complete=complete,
        file_name=file_name,
        options=options,
        limits=limits,
        known=known,
    )


def _decompressed(
    data: bytes, compression: str, limits: Limits, *, complete: bool
) -> tuple[bytes, bool]:
    """The head decompressed, as far as it goes, and whether it is the whole file."""
    pieces: list[bytes] = []
    size = 0
    codec = decompressor(compression, limits)
    for piece in codec.feed(data):
        pieces.append(piece)
        size += len(piece)
        if size >= limits.block_bytes:
            return b"".join(pieces), False
    if complete:
        codec.finish()
    return b"".join(pieces), complete
