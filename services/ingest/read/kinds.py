"""What a file really is, by its first bytes, so that it can be refused by name."""

from services.ingest.errors import EmptyFileError
from services.ingest.read.errors import WrongFileKindError

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (XLS, DOC)"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"RIFF", "a RIFF file (WEBP, WAV or AVI)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"Obj\x01", "an Avro file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"\xca\xfe\xba\xbe", "a Java class or a Mach-O program"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg file"),
    (b"{\\rtf", "an RTF document"),
)
_MARKUP: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<?xml", "an XML file"),
    (b"<svg", "an SVG picture"),
    (b"insert into ", "a script of SQL"),
    (b"create table ", "a script of SQL"),
    (b"-- mysql dump", "a script of SQL"),
    (b"-- mariadb dump", "a script of SQL"),
    (b"--\n-- postgresql database", "a script of SQL"),
    (b"pgdmp", "a dump of PostgreSQL"),
)
_INSIDE_ZIP: tuple[tuple[bytes, str], ...] = (
    (b"word/", "a Word document (DOCX)"),
    (b"ppt/", "a PowerPoint file (PPTX)"),
)
# Bytes of binary files that are plain letters too: they count only with a control byte near.
_LETTERS_ONLY = frozenset({b"MZ", b"ID3", b"RIFF", b"OggS", b"PAR1"})


ARCHIVES = frozenset({"a ZIP archive", "a tar archive"})
READABLE = ARCHIVES | {"an old Office file (XLS, DOC)", "a Parquet file", "an Arrow file"}
"""Kinds that are no text and may be read all the same; a workbook is a ZIP archive."""


def refuse_kind(head: bytes, *, as_text: bool = False) -> None:
    """Raise EmptyFileError or WrongFileKindError, unless the bytes may be read, or be text.

    `head`: the first bytes, decompressed; some kilobytes, or the whole file.
    """
    if not head.strip(b" \t\r\n\xef\xbb\xbf"):
        raise EmptyFileError("the file is empty")
    kind = kind_of(head)
    if kind is not None and (as_text or kind not in READABLE):
        raise WrongFileKindError(
            f"this is {kind}, which holds no rows that can be read: save or export them as CSV"
            " (UTF-8) first"
        )


def kind_of(head: bytes) -> str | None:
    """What the bytes are, in words, or None when they may be text."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        found = next((kind for part, kind in _INSIDE_ZIP if part in head[:65_536]), None)
        return found or "a ZIP archive"
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (magic not in _LETTERS_ONLY or _has_controls(head)):
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive"
    start = head[:200].lstrip(b" \t\r\n\xef\xbb\xbf").lower()
    return next((kind for mark, kind in _MARKUP if start.startswith(mark)), None)


def _has_controls(head: bytes) -> bool:
    return any(byte < 9 or 14 <= byte < 27 for byte in head[:64])
