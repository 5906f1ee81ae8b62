"""Binary workbooks (xlsb): records of [MS-XLSB], streamed."""

import struct
from collections.abc import Iterator

from services.ingest.read.sheets.book import BookError, Parts, Row, Sheet, error_message, reference
from services.ingest.read.sheets.cells import (
    BUILT_IN_FORMATS,
    NUMBER,
    CellError,
    Shape,
    cell_text,
    shape_of,
)
from services.ingest.read.sheets.worksheet import MERGED_KEPT
from services.ingest.read.sheets.xlsx import relation, relations

ROW_HEADER, MERGE_CELL, SHARED_STRING, FORMAT, XF = 0, 176, 19, 44, 47
BLANK, RK, ERROR, BOOL, REAL, TEXT, SHARED = 1, 2, 3, 4, 5, 6, 7
FORMULA_TEXT, FORMULA_REAL, FORMULA_BOOL, FORMULA_ERROR = 8, 9, 10, 11
WORKBOOK_PROPERTIES, BUNDLE_SHEET = 153, 156
CELL_FORMATS_BEGIN, CELL_FORMATS_END = 617, 618
RECORD_LIMIT_BYTES = 1 << 22
ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}


class XlsbBook:
    """A workbook of binary records."""

    kind = "xlsb"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workbook = relation(parts, "_rels/.rels", "", "/officeDocument") or "xl/workbook.bin"
        self._since_1904 = False
        self._paths: list[str] = []
        self._shared: list[str] | None = None
        self._shapes: list[Shape] | None = None
        self.merged: list[str] = []
        self.sheets = self._read_workbook()

    @property
    def share(self) -> float:
        """How much of the sheet has been read."""
        return self._parts.share

    def rows(self, sheet: int) -> Iterator[Row]:
        """The rows of a sheet that are not blank."""
        if self._shared is None:
            self._shared = self._read_shared_strings()
        if self._shapes is None:
            self._shapes = self._read_styles()
        row = Row(0, [])
        merged: list[str] = []
        for kind, record in records(self._parts, self._paths[sheet]):
            if kind == ROW_HEADER:
                if not row.is_blank:
                    yield row
                row = Row(_unpacked("<I", record)[0] + 1, [])
            elif BLANK < kind <= FORMULA_ERROR:
                self._put(row, kind, record)
            elif kind == MERGE_CELL and len(merged) < MERGED_KEPT:
                first, last, left, right = _unpacked("<IIII", record)
                merged.append(f"{reference(left, first + 1)}:{reference(right, last + 1)}")
        if not row.is_blank:
            yield row
        self.merged = merged

    def _put(self, row: Row, kind: int, record: bytes) -> None:
        column, style = _unpacked("<II", record)
        value = record[8:]
        if kind in (TEXT, FORMULA_TEXT):
            row.put_text(column, _wide_string(value)[0])
        elif kind == SHARED:
            at = _unpacked("<I", value)[0]
            if self._shared is None or at >= len(self._shared):
                raise BookError("the workbook is damaged: a shared text is missing")
            row.put_text(column, self._shared[at])
        elif kind in (BOOL, FORMULA_BOOL):
            row.put(column, "true" if _unpacked("<B", value)[0] else "false")
        elif kind in (ERROR, FORMULA_ERROR):
            code = _unpacked("<B", value)[0]
            name = ERRORS.get(code, f"#ERROR {code}")
            row.put_fault(column, name, error_message(name))
        else:
            number = _rk(value) if kind == RK else _unpacked("<d", value)[0]
            self._put_number(row, column, number, style & 0xFFFFFF)

    def _put_number(self, row: Row, column: int, number: float, style: int) -> None:
        shapes = self._shapes or []
        shape = shapes[style] if style < len(shapes) else NUMBER
        raw = repr(number)
        try:
            row.put(column, cell_text(raw, shape, since_1904=self._since_1904))
        except CellError as exc:
            row.put_fault(column, raw, str(exc))

    def _read_workbook(self) -> tuple[Sheet, ...]:
        targets = relations(self._parts, self._workbook)
        sheets: list[Sheet] = []
        for kind, record in records(self._parts, self._workbook):
            if kind == WORKBOOK_PROPERTIES:
                self._since_1904 = bool(_unpacked("<I", record)[0] & 1)
            elif kind == BUNDLE_SHEET:
                state = _unpacked("<I", record)[0]
                relation_id, used = _wide_string(record[8:])
                name, _ = _wide_string(record[8 + used :])
                target = targets.get(relation_id)
                if target is not None and target[1].endswith("/worksheet"):
                    self._paths.append(target[0])
                    sheets.append(Sheet(name, hidden=state != 0))
        return tuple(sheets)

    def _read_shared_strings(self) -> list[str]:
        path = relation(self._parts, self._workbook, "/sharedStrings")
        if path is None or path not in self._parts:
            return []
        return [
            _wide_string(record[1:])[0]
            for kind, record in records(self._parts, path)
            if kind == SHARED_STRING
        ]

    def _read_styles(self) -> list[Shape]:
        path = relation(self._parts, self._workbook, "/styles")
        formats = dict(BUILT_IN_FORMATS)
        shapes: list[Shape] = []
        inside = False
        for kind, record in records(self._parts, path) if path is not None else ():
            if kind == FORMAT:
                formats[_unpacked("<H", record)[0]] = _wide_string(record[2:])[0]
            elif kind in (CELL_FORMATS_BEGIN, CELL_FORMATS_END):
                inside = kind == CELL_FORMATS_BEGIN
            elif kind == XF and inside:
                shapes.append(shape_of(formats.get(_unpacked("<HH", record)[1], "")))
        return shapes


def records(parts: Parts, path: str) -> Iterator[tuple[int, bytes]]:
    """The records of a part: their type and content (2.1.4)."""
    left = b""
    for chunk in parts.chunks(path):
        left += chunk
        at = 0
        while (found := _header(left, at)) is not None:
            kind, size, start = found
            if size > RECORD_LIMIT_BYTES:
                raise BookError("the workbook is damaged: a record is too large")
            if len(left) < start + size:
                break
            yield kind, left[start : start + size]
            at = start + size
        left = left[at:]
    if left:
        raise BookError("the workbook is damaged: it breaks off within a record")


def _header(data: bytes, at: int) -> tuple[int, int, int] | None:
    """A record's type, size and where its content starts; None where that is not all there."""
    if at >= len(data):
        return None
    kind = data[at]
    at += 1
    if kind & 0x80:
        if at >= len(data):
            return None
        kind = (kind & 0x7F) | (data[at] & 0x7F) << 7
        at += 1
    size = 0
    for shift in (0, 7, 14, 21):
        if at >= len(data):
            return None
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return kind, size, at


def _wide_string(data: bytes) -> tuple[str, int]:
    """An XLWideString and how many bytes it took; the null one is empty."""
    count = _unpacked("<I", data)[0]
    if count == 0xFFFFFFFF:
        return "", 4
    end = 4 + 2 * count
    if end > len(data):
        raise BookError("the workbook is damaged: a text breaks off")
    return data[4:end].decode("utf-16-le", errors="replace"), end


def _rk(data: bytes) -> float:
    """An RkNumber (2.5.122): 30 bits of a whole number or of a double, perhaps hundredths."""
    raw = _unpacked("<I", data)[0]
    if raw & 2:
        number = float(struct.unpack("<i", struct.pack("<I", raw))[0] >> 2)
    else:
        number = struct.unpack("<d", b"\0\0\0\0" + struct.pack("<I", raw & 0xFFFFFFFC))[0]
    return number / 100 if raw & 1 else number


def _unpacked(form: str, data: bytes) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data)
    except struct.error as exc:
        raise BookError("the workbook is damaged: a record breaks off") from exc
