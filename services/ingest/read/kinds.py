"""What a file really is, by its first bytes, so that it can be refused by name."""

import re

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
    (b"ORC", "an ORC file"),
    (b"FEA1", "a Feather file of the first version"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "an array of NumPy"),
    *((bytes((0x80, version)), "a pickle of Python") for version in range(2, 6)),
    (b"\x04\x22\x4d\x18", "an LZ4 file"),
    (b"\xff\x06\0\0sNaPpY", "a Snappy file"),
    (b"\x1f\x9d", "a file packed by compress (.Z)"),
    (b"$FL2@(#)", "an SPSS file"),
    (b"$FL3@(#)", "an SPSS file"),
    (b"\0" * 12 + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf", "a SAS file"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
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
    (b"<stata_dta>", "a Stata file"),
    (b"begin:vcalendar", "a calendar (iCalendar)"),
    (b"begin:vcard", "an address book (vCard)"),
    (b"version https://git-lfs.github.com/", "a pointer of Git LFS to the file that it stands for"),
)
_ELEMENT = re.compile(rb"<([a-z][\w:.-]*)(?:\s[^<>]*)?>")
"""With which markup begins that has no prologue."""
_INSIDE_ZIP: tuple[tuple[bytes, str], ...] = (
    (b"word/", "a Word document (DOCX)"),
    (b"ppt/", "a PowerPoint file (PPTX)"),
)
# Bytes of binary files that are plain letters too: they count only with a control byte near.
_LETTERS_ONLY = frozenset({b"MZ", b"ID3", b"RIFF", b"OggS", b"PAR1", b"ORC", b"FEA1"})
_CONTROLS = bytes((0, *range(4, 9), *range(14, 27)))
"""Bytes of binary files; the other controls stand in texts, or part their cells."""
_LEAST_CONTROLS = 32


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


def refuse_binary(head: bytes) -> None:
    """Raise WrongFileKindError where a tenth of the bytes are control characters.

    `head`: of a text in an encoding in which every byte of ASCII is a character; NULs and Ctrl-Z
    at its end are padding.
    """
    begin = head[:1024].rstrip(b"\0\x1a")
    controls = len(begin) - len(begin.translate(None, _CONTROLS))
    if controls >= _LEAST_CONTROLS and controls * 10 > len(begin):
        raise WrongFileKindError(
            "this is a binary file of a kind that cannot be read: save or export its rows as CSV"
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
    if head[4:8] == b"ftyp" and _has_controls(head):
        return "a film (MP4)"
    start = head[:65_536].lstrip(b" \t\r\n\xef\xbb\xbf").lower()
    found = next((kind for mark, kind in _MARKUP if start.startswith(mark)), None)
    if found is None and (element := _ELEMENT.match(start)) and b"</" + element[1] in start:
        return "markup (XML or HTML)"
    return found


def _has_controls(head: bytes) -> bool:
    return any(byte < 9 or 14 <= byte < 27 for byte in head[:64])
