"""Office Open XML workbooks (xlsx, xlsm), streamed: no sheet is ever held as a whole.

ECMA-376 part 1, 18.3 (worksheets), 18.4 (shared strings), 18.8 (styles).
"""

import posixpath
from collections.abc import Callable, Iterator

from services.ingest.read.sheets.book import (
    Parts,
    Row,
    Sheet,
    attribute,
    local,
    parse,
    parser,
)
from services.ingest.read.sheets.cells import BUILT_IN_FORMATS, Shape, shape_of
from services.ingest.read.sheets.worksheet import Cells, Worksheet, unescaped, whole


class XlsxBook:
    """A workbook in Office Open XML."""

    kind = "xlsx"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workbook = relation(parts, "_rels/.rels", "", "/officeDocument") or "xl/workbook.xml"
        self.since_1904 = False
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
        cells = Cells(self._shared, self._shapes, since_1904=self.since_1904)
        reader = Worksheet(cells)
        for chunk in self._parts.chunks(self._paths[sheet]):
            yield from reader.feed(chunk)
        yield from reader.feed(b"", final=True)
        self.merged = reader.merged

    def _read_workbook(self) -> tuple[Sheet, ...]:
        targets = relations(self._parts, self._workbook)
        sheets: list[Sheet] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            tag = local(name)
            if tag == "workbookPr":
                self.since_1904 = attributes.get("date1904") in ("1", "true", "on")
            elif tag == "sheet":
                target = targets.get(attribute(attributes, "id") or "")
                if target is None or "/worksheet" not in target[1]:
                    return
                self._paths.append(target[0])
                hidden = attributes.get("state", "visible") != "visible"
                sheets.append(Sheet(attributes.get("name", ""), hidden))

        self._read_part(self._workbook, start)
        return tuple(sheets)

    def _read_styles(self) -> list[Shape]:
        path = relation(self._parts, self._workbook, "/styles")
        formats = dict(BUILT_IN_FORMATS)
        shapes: list[Shape] = []
        inside = False

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal inside
            tag = local(name)
            if tag == "numFmt":
                code = attributes.get("formatCode", "")
                formats[whole(attributes.get("numFmtId"), "styles")] = code
            elif tag == "cellXfs":
                inside = True
            elif tag == "xf" and inside:
                number = whole(attributes.get("numFmtId", "0"), "styles")
                shapes.append(shape_of(formats.get(number, "")))

        def end(name: str) -> None:
            nonlocal inside
            if local(name) == "cellXfs":
                inside = False

        if path is not None:
            self._read_part(path, start, end)
        return shapes

    def _read_shared_strings(self) -> list[str]:
        path = relation(self._parts, self._workbook, "/sharedStrings")
        reader = _SharedStrings()
        if path is not None and path in self._parts:
            self._read_part(path, reader.start, reader.end, reader.characters)
        return reader.strings

    def _read_part(
        self,
        path: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        characters: Callable[[str], None] | None = None,
    ) -> None:
        xml = parser()
        xml.StartElementHandler = start
        xml.EndElementHandler = end
        xml.CharacterDataHandler = characters
        for chunk in self._parts.chunks(path):
            parse(xml, chunk, final=False)
        parse(xml, b"", final=True)


class _SharedStrings:
    """Collects the texts of `<si>` elements, without the readings that stand above ideograms."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._texts: list[str] = []
        self._taking = self._phonetic = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        """An element begins."""
        tag = local(name)
        if tag == "t":
            self._taking = not self._phonetic
        elif tag == "rPh":
            self._phonetic = True

    def characters(self, text: str) -> None:
        """Text of an element."""
        if self._taking:
            self._texts.append(text)

    def end(self, name: str) -> None:
        """An element ends."""
        tag = local(name)
        if tag == "t":
            self._taking = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            self.strings.append(unescaped("".join(self._texts)))
            self._texts.clear()


def relation(parts: Parts, *names: str) -> str | None:
    """The target of the first relation whose type ends as named.

    `relation(parts, part, ending)` for a part's own, `relation(parts, rels, base, ending)` else.
    """
    if len(names) == 2:
        targets = relations(parts, names[0])
    else:
        targets = _relations_in(parts, names[0], names[1])
    return next((path for path, kind in targets.values() if kind.endswith(names[-1])), None)


def relations(parts: Parts, part: str) -> dict[str, tuple[str, str]]:
    """What a part refers to: id → (path, type)."""
    folder, name = posixpath.split(part)
    return _relations_in(parts, f"{folder}/_rels/{name}.rels", folder)


def _relations_in(parts: Parts, rels: str, folder: str) -> dict[str, tuple[str, str]]:
    targets: dict[str, tuple[str, str]] = {}
    if rels not in parts:
        return targets

    def start(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            path = target if target.startswith("/") else posixpath.join(folder, target)
            path = posixpath.normpath(path).lstrip("/")
            targets[attributes.get("Id", "")] = path, attributes.get("Type", "")

    xml = parser()
    xml.StartElementHandler = start
    parse(xml, parts.bytes(rels), final=True)
    return targets
