"""The child process: `python -m services.ingest.read.sheets PATH OPTIONS`; messages are JSON.

First `{"kind", "sheets": [{"name", "hidden"}], "sheet": name}`; then, of that sheet, batches
`{"numbers": […], "columns": [[…], …], "texts": {place: [row, …]}, "faults": [[row, place,
message]], "share"}` whose columns are as wide as the widest row of the batch; then `{"merged":
[…]}`. A file that cannot be read ends in `{"code", "message"}`.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from services.ingest.read.serving import say, send, serve
from services.ingest.read.sheets.book import Book, BookError, EncryptedBookError, Parts, Row
from services.ingest.read.sheets.ods import OdsBook
from services.ingest.read.sheets.xls import XlsBook
from services.ingest.read.sheets.xlsb import XlsbBook
from services.ingest.read.sheets.xlsx import XlsxBook
from shared.values.texts import NULL_WORDS

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
FIRST_ROWS = 200
BATCH_ROWS = 5_000
BATCH_CELLS = 100_000


def opened(path: str, *, limit_bytes: int) -> Book:
    """The workbook in a file; raises BookError."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs the child its start
        head = file.read(8)
        if head == OLE:
            if ENCRYPTED_PACKAGE in file.read():
                raise EncryptedBookError
            return XlsBook(path)
    parts = Parts(path, limit_bytes=limit_bytes)
    if "content.xml" in parts:
        return OdsBook(parts)
    if "xl/workbook.bin" in parts:
        return XlsbBook(parts)
    return XlsxBook(parts)


def batches(rows: Iterator[Row]) -> Iterator[dict[str, Any]]:
    """The rows in messages: a small one first, from which the header is known soon."""
    size = FIRST_ROWS
    while taken := list(islice(rows, size)):
        width = max(len(row.cells) for row in taken)
        columns = [
            [row.cells[place] if place < len(row.cells) else None for row in taken]
            for place in range(width)
        ]
        texts: dict[int, list[int]] = {}
        for at, row in enumerate(taken):
            for place in row.texts:
                if row.cells[place] in NULL_WORDS:
                    continue
                rows_of_text = texts.setdefault(place, [])
                if len(rows_of_text) < FIRST_ROWS:  # those above the rows are not counted later
                    rows_of_text.append(at)
        yield {
            "numbers": [row.number for row in taken],
            "columns": columns,
            "texts": texts,
            "faults": [
                (at, place, message)
                for at, row in enumerate(taken)
                for place, _, message in row.faults
            ],
        }
        size = max(1, min(BATCH_ROWS, BATCH_CELLS // width))


def chosen(book: Book, wanted: str | None) -> int:
    """The sheet by its name, or its number from 1, or the only visible one with cells.

    Raises BookError.
    """
    names = [sheet.name for sheet in book.sheets]
    if wanted is not None:
        if wanted in names:
            return names.index(wanted)
        if wanted.isdecimal() and 0 < int(wanted) <= len(names):
            return int(wanted) - 1
        raise BookError(
            f"the workbook has no sheet {wanted!r}; it has {_listed(names)}", code="unknown_sheet"
        )
    visible = [at for at, sheet in enumerate(book.sheets) if not sheet.hidden]
    if len(visible) > 1:
        visible = [at for at in visible if next(book.rows(at), None) is not None] or visible[:1]
    if len(visible) > 1:
        raise BookError(
            f"the workbook has {len(visible)} sheets with cells: name one with `sheet`; it has"
            f" {_listed([names[at] for at in visible])}",
            code="sheet_needed",
            choices=[names[at] for at in visible],
        )
    if not visible:
        raise BookError("the workbook has no visible sheet", code="empty_file")
    return visible[0]


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"


def main(path: str, options: dict[str, Any]) -> None:
    """Read the file; everything about it goes out as messages."""
    try:
        book = opened(path, limit_bytes=options["limit_bytes"])
        sheets = [{"name": sheet.name, "hidden": sheet.hidden} for sheet in book.sheets]
        sheet = chosen(book, options["sheet"])
        say({"kind": book.kind, "sheets": sheets, "sheet": book.sheets[sheet].name})
        for batch in batches(book.rows(sheet)):
            say({**batch, "share": book.share})
        say({"merged": book.merged})
    except BookError as exc:
        say({"code": exc.code, "message": str(exc), "choices": exc.choices})
    send(b"")


if __name__ == "__main__":
    serve(main)
