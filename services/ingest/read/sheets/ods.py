"""OpenDocument spreadsheets (ods), streamed: OpenDocument 1.3 part 3, 9 (tables), 19 (values)."""

import re
from collections.abc import Iterator
from contextlib import suppress

from services.ingest.read.sheets.book import (
    COLUMN_LIMIT,
    ROW_LIMIT,
    BookError,
    EncryptedBookError,
    Parts,
    Row,
    Sheet,
    attribute,
    error_message,
    local,
    parse,
    parser,
    reference,
)
from services.ingest.read.sheets.cells import CellError, number_text
from services.ingest.read.sheets.worksheet import MERGED_KEPT

_DURATION = re.compile(r"(-?)PT(\d+)H(\d+)M(\d+)(?:[.,](\d+))?S")
_ERROR = re.compile(r"(?:#[A-Z/0-9!?]+|Err:\d+)")
_CELLS = frozenset({"table-cell", "covered-table-cell"})


class OdsBook:
    """A workbook in OpenDocument."""

    kind = "ods"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.merged: list[str] = []
        if "META-INF/manifest.xml" in parts and b"encryption-data" in parts.bytes(
            "META-INF/manifest.xml"
        ):
            raise EncryptedBookError
        self._durations, self._hidden = self._styles()
        self.sheets = self._read_tables()

    @property
    def share(self) -> float:
        """How much of the sheet has been read."""
        return self._parts.share

    def rows(self, sheet: int) -> Iterator[Row]:
        """The rows of a sheet that are not blank."""
        reader = _TableReader(sheet, self._durations, self.merged)
        for chunk in self._parts.chunks("content.xml"):
            yield from reader.feed(chunk)
            if reader.ended:
                return
        yield from reader.feed(b"", final=True)

    def _read_tables(self) -> tuple[Sheet, ...]:
        sheets: list[Sheet] = []
        depth = 0

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            if local(name) == "table":
                depth += 1
                if depth == 1:
                    style = attribute(attributes, "style-name")
                    name = attribute(attributes, "name") or ""
                    sheets.append(Sheet(name, hidden=style in self._hidden))

        def end(name: str) -> None:
            nonlocal depth
            if local(name) == "table":
                depth -= 1

        xml = parser()
        xml.StartElementHandler, xml.EndElementHandler = start, end
        for chunk in self._parts.chunks("content.xml"):
            parse(xml, chunk, final=False)
        parse(xml, b"", final=True)
        return tuple(sheets)

    def _styles(self) -> tuple[frozenset[str], frozenset[str]]:
        """Cell styles whose time may go beyond a day, as [HH]:MM does; styles of hidden tables."""
        elapsed: set[str] = set()
        hidden: set[str] = set()
        style: list[str] = []
        styles: dict[str, str] = {}

        def start(name: str, attributes: dict[str, str]) -> None:
            tag = local(name)
            named = attribute(attributes, "name") or ""
            if tag == "time-style":
                if attribute(attributes, "truncate-on-overflow") == "false":
                    elapsed.add(named)
            elif tag == "style":
                style.append(named)
                styles[named] = attribute(attributes, "data-style-name") or ""
            elif tag == "table-properties" and attribute(attributes, "display") == "false":
                hidden.update(style[-1:])
            elif tag == "body":
                raise _StylesEnded

        for part in ("styles.xml", "content.xml"):
            if part in self._parts:
                xml = parser()
                xml.StartElementHandler = start
                with suppress(_StylesEnded):
                    for chunk in self._parts.chunks(part):
                        parse(xml, chunk, final=False)
        durations = frozenset(name for name, data in styles.items() if data in elapsed)
        return durations, frozenset(hidden)


class _StylesEnded(Exception):  # noqa: N818 - no error: it ends a parse
    """The document's body begins."""


class _TableReader:
    """Feeds content.xml to a parser and hands out the rows of one table that ended."""

    def __init__(self, table: int, durations: frozenset[str], merged: list[str]) -> None:
        self._wanted = table
        self._merged = merged
        self._durations = durations
        self._table = -1
        self._depth = 0
        self._done: list[Row] = []
        self._next_row = 1
        self._row_repeated = 1
        self._row = Row(1, [])
        self._column = 0
        self._cell: dict[str, str] | None = None
        self._paragraphs: list[str] = []
        self._texts: list[str] = []
        self._taking = 0
        self._note = 0
        self.ended = False
        self._xml = parser()
        self._xml.StartElementHandler = self._start
        self._xml.EndElementHandler = self._end
        self._xml.CharacterDataHandler = self._characters

    def feed(self, chunk: bytes, *, final: bool = False) -> list[Row]:
        """The rows that are complete now."""
        parse(self._xml, chunk, final=final)
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = local(name)
        if tag == "table":
            self._depth += 1
            if self._depth == 1:
                self._table += 1
        elif self._table != self._wanted or self._depth != 1:
            return
        elif tag == "table-row":
            self._row_repeated = _repeated(attributes, "number-rows-repeated")
            self._row = Row(self._next_row, [])
            self._column = 0
        elif tag in _CELLS:
            self._cell = {local(key): value for key, value in attributes.items()}
            self._cell["calc-type"] = next(
                (value for key, value in attributes.items() if key == "calcext:value-type"), ""
            )
            self._paragraphs = []
        elif tag == "annotation":
            self._note += 1
        elif self._cell is not None and not self._note:
            self._start_text(tag, attributes)

    def _start_text(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "p":
            self._taking += 1
            self._texts = []
        elif tag == "s":
            self._texts.append(" " * min(_repeated(attributes, "c"), 65_536))
        elif tag == "tab":
            self._texts.append("\t")
        elif tag == "line-break":
            self._texts.append("\n")

    def _characters(self, text: str) -> None:
        if self._taking and not self._note:
            self._texts.append(text)

    def _end(self, name: str) -> None:
        tag = local(name)
        if tag == "table":
            self._depth -= 1
            self.ended = self.ended or (self._depth == 0 and self._table == self._wanted)
        elif self._table != self._wanted or self._depth != 1:
            return
        elif tag == "annotation":
            self._note -= 1
        elif self._note:
            return
        elif tag == "p" and self._taking:
            self._taking -= 1
            self._paragraphs.append("".join(self._texts))
        elif tag in _CELLS and self._cell is not None:
            self._end_cell(self._cell, covered=tag != "table-cell")
            self._cell = None
        elif tag == "table-row":
            self._end_row()

    def _end_row(self) -> None:
        row, self._next_row = self._row, self._next_row + self._row_repeated
        if row.is_blank:
            return
        if self._next_row > ROW_LIMIT + 1:
            raise BookError(f"the sheet has more than {ROW_LIMIT:,} rows")
        for number in range(row.number, self._next_row):
            self._done.append(Row(number, row.cells, row.texts, row.faults))

    def _end_cell(self, cell: dict[str, str], *, covered: bool) -> None:
        """Put the cell into the row, as often as it is repeated; a covered one is hidden."""
        column = self._column
        if not covered:
            self._note_merged(cell)
        repeated = _repeated(cell, "number-columns-repeated")
        self._column += repeated
        shown = "\n".join(self._paragraphs)
        kind = cell.get("value-type", "")
        if covered or not (kind or shown):
            return
        if self._column > COLUMN_LIMIT:
            raise BookError(f"row {self._row.number} has a cell beyond column {COLUMN_LIMIT:,}")
        for place in range(column, self._column):
            self._put(place, kind, cell, shown)

    def _note_merged(self, cell: dict[str, str]) -> None:
        width = _repeated(cell, "number-columns-spanned")
        height = _repeated(cell, "number-rows-spanned")
        if (width > 1 or height > 1) and len(self._merged) < MERGED_KEPT:
            top, left = self._row.number, self._column
            last = reference(left + width - 1, top + height - 1)
            self._merged.append(f"{reference(left, top)}:{last}")

    def _put(self, place: int, kind: str, cell: dict[str, str], shown: str) -> None:
        row = self._row
        failed = cell["calc-type"] == "error" or ("formula" in cell and _ERROR.fullmatch(shown))
        if failed:
            row.put_fault(place, shown, error_message(shown))
        elif kind in ("float", "percentage", "currency"):
            raw = cell.get("value", "")
            try:
                row.put(place, number_text(raw))
            except CellError as exc:
                row.put_fault(place, raw, str(exc))
        elif kind == "date":
            row.put(place, cell.get("date-value", "").replace("T", " "))
        elif kind == "time":
            row.put(place, self._time(cell))
        elif kind == "boolean":
            row.put(place, cell.get("boolean-value", ""))
        else:
            row.put_text(place, cell.get("string-value") or shown)

    def _time(self, cell: dict[str, str]) -> str:
        """A time of the day, or a duration where the cell's style or its value says so."""
        value = cell.get("time-value", "")
        match = _DURATION.fullmatch(value)
        if match is None:
            return value
        sign, hours, minutes, seconds, fraction = match.groups()
        if sign or int(hours) >= 24 or cell.get("style-name") in self._durations:
            return value
        fraction = (fraction or "").rstrip("0")
        text = f"{int(hours):02}:{int(minutes):02}:{int(seconds):02}"
        return f"{text}.{fraction}" if fraction else text


def _repeated(attributes: dict[str, str], name: str) -> int:
    text = attribute(attributes, name)
    if text is None:
        return 1
    try:
        return max(1, int(text))
    except ValueError as exc:
        raise BookError(f"the workbook is damaged: {text!r} is no number") from exc
