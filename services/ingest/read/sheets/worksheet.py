"""A worksheet's XML to rows (ECMA-376 part 1, 18.3.1), as it is fed.

Rows spelled as every program spells them are read by one regular expression a cell; a row with
anything else in it, and whatever stands around the rows, goes to an XML parser. The two are one
reading: what the expression matches means the same to the parser.
"""

import codecs
import re

from services.ingest.read.sheets.book import (
    NOT_COMPUTED,
    BookError,
    Row,
    error_message,
    local,
    parse,
    parser,
)
from services.ingest.read.sheets.cells import NUMBER, CellError, Kind, Shape, cell_text

MERGED_KEPT = 20
ROW_LIMIT_CHARACTERS = 64 << 20

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_ROWS = re.compile("<sheetData[^>]*>")
_ROW = re.compile(r'\s*<row(?: [^<>/]*?)? r="([0-9]{1,7})"[^<>/]*>')
_CELL = re.compile(
    r'<c r="([A-Z]{1,3})[0-9]{1,7}"(?: s="([0-9]{1,6})")?(?: t="([a-zA-Z]{1,9})")?'
    r"(?:/>|>(?:<f>[^<&]*</f>)?<v>([^<&]*)</v></c>"
    r'|><is><t(?: xml:space="preserve")?>([^<&]*)</t></is></c>)'
)
_ROW_END = "</row>"


def unescaped(text: str) -> str:
    """Text with `_x000D_` and the like as the characters they stand for (22.9.2.19)."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


class Cells:
    """Puts cells into rows, by their type, style and text."""

    def __init__(self, shared: list[str], shapes: list[Shape], *, since_1904: bool) -> None:
        self._shared = shared
        self._shapes = shapes
        self._since_1904 = since_1904
        self._columns: dict[str, int] = {}

    def place_of(self, letters: str) -> int:
        """The column of `A`, `B` … from 0."""
        place = self._columns.get(letters)
        if place is not None:
            return place
        column = 0
        for letter in letters.upper():
            if not "A" <= letter <= "Z" or column > 16_384:
                raise BookError(f"the workbook is damaged: {letters!r} is no column")
            column = column * 26 + ord(letter) - 64
        self._columns[letters] = column - 1
        return column - 1

    def put(self, row: Row, column: int, *, kind: str, style: int, raw: str) -> None:
        """Put a cell whose `<v>`, or inline text, is `raw`."""
        if kind == "n":
            self._put_number(row, column, style, raw)
        elif kind == "s":
            try:
                row.put_text(column, self._shared[int(raw)])
            except (IndexError, ValueError) as exc:
                raise BookError("the workbook is damaged: a shared text is missing") from exc
        elif kind in ("str", "inlineStr"):
            row.put_text(column, unescaped(raw))
        elif kind == "b":
            row.put(column, "true" if raw.strip() in ("1", "true") else "false")
        elif kind == "e":
            row.put_fault(column, raw, error_message(raw))
        elif kind == "d":
            row.put(column, self._iso_date(style, raw))
        else:
            raise BookError(f"the workbook is damaged: {kind!r} is no type of a cell")

    def _put_number(self, row: Row, column: int, style: int, raw: str) -> None:
        if not raw:
            row.put_fault(column, "", NOT_COMPUTED)
            return
        try:
            text = cell_text(raw, self._shape(style), since_1904=self._since_1904)
        except CellError as exc:
            row.put_fault(column, raw, str(exc))
        else:
            row.put(column, text)

    def _shape(self, style: int) -> Shape:
        return self._shapes[style] if style < len(self._shapes) else NUMBER

    def _iso_date(self, style: int, raw: str) -> str:
        day, _, time = raw.partition("T")
        whole_day = self._shape(style).kind is Kind.DATE and not time.strip("0:.Z")
        return day if whole_day else raw


class Worksheet:
    """Takes a worksheet's bytes and hands out the rows that are complete."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._exact = _ExactReader(cells)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._left = b""
        self._text = ""
        self._regular: bool | None = None

    @property
    def merged(self) -> list[str]:
        """The merged ranges, which stand behind the rows."""
        return self._exact.merged

    def feed(self, chunk: bytes, *, final: bool = False) -> list[Row]:
        """The rows that are complete now; raises BookError."""
        if self._regular is None:
            self._left += chunk
            chunk = self._begin(final=final)
        if not self._regular:
            return self._exact.feed(chunk, final=final)
        try:
            self._text += self._decoder.decode(chunk, final)
        except UnicodeDecodeError as exc:
            raise BookError(f"the workbook is damaged: {exc}") from exc
        rows = self._complete_rows()
        if len(self._text) > ROW_LIMIT_CHARACTERS:
            raise BookError("the workbook is damaged: a row does not end")
        if final:
            rows += self._exact.feed(self._text.encode(), final=True)
        return rows

    def _begin(self, *, final: bool) -> bytes:
        """Decide, once the rows begin, how they are read; returns what is to be read now."""
        start = self._left.removeprefix(b"\xef\xbb\xbf")
        if start[:1] not in (b"<", b"") or final:
            self._regular = False
            return self._left
        head = start.decode("latin-1")
        rows = _ROWS.search(head)
        if rows is None:
            if len(head) > 1 << 20:
                self._regular = False
                return self._left
            return b""
        declared = head[: head.find(">")].lower()
        self._regular = "encoding=" not in declared or "utf-8" in declared
        if not self._regular or rows[0].endswith("/>"):
            self._regular = False
            return self._left
        self._exact.feed(start[: rows.end()])
        left, self._left = start[rows.end() :], b""
        return left

    def _complete_rows(self) -> list[Row]:
        text, at = self._text, 0
        rows: list[Row] = []
        while (end := text.find(_ROW_END, at)) >= 0:
            row = self._regular_row(text, at, end)
            end += len(_ROW_END)
            if row is None:
                rows += self._exact.feed(text[at:end].encode())
            else:
                self._exact.passed(row.number)
                if not row.is_blank:
                    rows.append(row)
            at = end
        self._text = text[at:]
        return rows

    def _regular_row(self, text: str, at: int, end: int) -> Row | None:
        """The row that stands there; None where an XML parser has to read it."""
        head = _ROW.match(text, at, end)
        if head is None:
            return None
        row = Row(int(head[1]), [])
        at = head.end()
        cells, put = self._cells, self._cells.put
        for match in _CELL.finditer(text, at, end):
            if match.start() != at:
                return None
            at = match.end()
            letters, style, kind, value, inline = match.groups()
            raw = inline if value is None else value
            if raw is None:
                continue
            if (inline is None) is (kind == "inlineStr"):
                return None
            put(
                row,
                cells.place_of(letters),
                kind=kind or "n",
                style=int(style) if style else 0,
                raw=raw,
            )
        return row if at == end else None


class _ExactReader:
    """Feeds XML to a parser and hands out the rows that ended."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._done: list[Row] = []
        self._row = Row(0, [])
        self._number = 0
        self._column = -1
        self._type = "n"
        self._style = 0
        self._has_formula = False
        self._taking = self._phonetic = False
        self._texts: list[str] = []
        self.merged: list[str] = []
        self._xml = parser()
        self._xml.StartElementHandler = self._start
        self._xml.EndElementHandler = self._end
        self._xml.CharacterDataHandler = self._characters

    def feed(self, chunk: bytes, *, final: bool = False) -> list[Row]:
        """The rows that are complete now."""
        parse(self._xml, chunk, final=final)
        done, self._done = self._done, []
        return done

    def passed(self, row: int) -> None:
        """A row was read elsewhere; one without a number of its own comes after it."""
        self._number = row

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name if ":" not in name else local(name)
        if tag == "c":
            self._start_cell(attributes)
        elif tag in ("v", "t"):
            self._taking = not self._phonetic
        elif tag == "f":
            self._has_formula = True
        elif tag == "row":
            number = attributes.get("r")
            self._number = self._number + 1 if number is None else whole(number, "a row")
            self._row = Row(self._number, [])
            self._column = -1
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "mergeCell" and len(self.merged) < MERGED_KEPT:
            self.merged.append(attributes.get("ref", ""))

    def _start_cell(self, attributes: dict[str, str]) -> None:
        place = attributes.get("r")
        if place is None:
            self._column += 1
        else:
            self._column = self._cells.place_of(place.rstrip("0123456789"))
        self._type = attributes.get("t", "n")
        style = attributes.get("s")
        self._style = 0 if style is None else whole(style, "a cell")
        self._has_formula = False
        self._texts = []

    def _characters(self, text: str) -> None:
        if self._taking:
            self._texts.append(text)

    def _end(self, name: str) -> None:
        tag = name if ":" not in name else local(name)
        if tag == "c":
            if self._texts or self._has_formula:
                self._cells.put(
                    self._row,
                    self._column,
                    kind=self._type,
                    style=self._style,
                    raw="".join(self._texts),
                )
        elif tag in ("v", "t"):
            self._taking = False
        elif tag == "row":
            if self._row.cells:
                self._done.append(self._row)
        elif tag == "rPh":
            self._phonetic = False


def whole(text: str | None, where: str) -> int:
    """A number that is written there; raises BookError."""
    try:
        return int(text or "")
    except ValueError as exc:
        raise BookError(f"the workbook is damaged: {text!r} is no number of {where}") from exc
