"""Workbooks of Excel 97 to 2003 (xls), by xlrd."""

import io
from collections.abc import Iterator

import xlrd

from services.ingest.read.sheets.book import (
    BookError,
    EncryptedBookError,
    Row,
    Sheet,
    error_message,
    reference,
)
from services.ingest.read.sheets.cells import CellError, cell_text, shape_of
from services.ingest.read.sheets.worksheet import MERGED_KEPT

WORKSHEET = 0
"""`boundsheet` type of a sheet with cells."""


class XlsBook:
    """A workbook in BIFF; xlrd holds the sheet that is read, at most 65,536 rows, as a whole."""

    kind = "xls"

    def __init__(self, path: str) -> None:
        try:
            self._book = xlrd.open_workbook(
                path, on_demand=True, formatting_info=True, logfile=io.StringIO()
            )
        except Exception as exc:  # a damaged file makes xlrd raise whatever it stumbles over
            raise _book_error(exc) from exc
        # Public only once a sheet is loaded.
        visible = self._book._sheet_visibility  # type: ignore[attr-defined]  # noqa: SLF001
        self.sheets = tuple(
            Sheet(name, hidden=bool(visible[at]))
            for at, name in enumerate(self._book.sheet_names())
        )
        self.merged: list[str] = []
        self.share = 0.0

    def rows(self, sheet: int) -> Iterator[Row]:
        """The rows of a sheet that are not blank."""
        try:
            cells = self._book.sheet_by_index(sheet)
        except Exception as exc:
            raise _book_error(exc) from exc
        shapes = [
            shape_of(getattr(self._book.format_map.get(xf.format_key), "format_str", ""))
            for xf in self._book.xf_list
        ]
        since_1904 = bool(self._book.datemode)
        for number in range(cells.nrows):
            self.share = (number + 1) / cells.nrows
            row = Row(number + 1, [])
            for column, cell in enumerate(cells.row(number)):
                if cell.ctype == xlrd.XL_CELL_TEXT:
                    row.put_text(column, str(cell.value))
                elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
                    row.put(column, "true" if cell.value else "false")
                elif cell.ctype == xlrd.XL_CELL_ERROR:
                    name = xlrd.error_text_from_code.get(int(cell.value), f"#ERROR {cell.value}")
                    row.put_fault(column, name, error_message(name))
                elif cell.ctype in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
                    raw = repr(float(cell.value))
                    try:
                        text = cell_text(raw, shapes[cell.xf_index or 0], since_1904=since_1904)
                        row.put(column, text)
                    except CellError as exc:
                        row.put_fault(column, raw, str(exc))
            if not row.is_blank:
                yield row
        self.merged = [
            f"{reference(left, top + 1)}:{reference(right - 1, bottom)}"
            for top, bottom, left, right in cells.merged_cells[:MERGED_KEPT]
        ]
        self._book.unload_sheet(sheet)


def _book_error(exc: Exception) -> BookError:
    if "encrypted" in str(exc):
        return EncryptedBookError()
    return BookError(f"the workbook is damaged or no workbook: {exc}")
