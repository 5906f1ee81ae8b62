"""Workbooks written part by part, so that a test can hold what no library would write."""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP file of these parts, in order; the same bytes whenever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _relations(targets: Sequence[tuple[str, str, str]]) -> str:
    rows = "".join(
        f'<Relationship Id="{key}" Type="{_RELS}/{kind}" Target="{target}"/>'
        for key, kind, target in targets
    )
    return f'<Relationships xmlns="{_PACKAGE}">{rows}</Relationships>'


def xlsx(
    rows: str | Mapping[str, str],
    *,
    formats: Sequence[str] = (),
    strings: Sequence[str] = (),
    since_1904: bool = False,
    hidden: Sequence[str] = (),
    more: Mapping[str, str | bytes] | None = None,
    prologue: str = "",
    epilogue: str = "",
    dimension: str = "A1:XFD1048576",
) -> bytes:
    """A workbook of sheets given as `<row>` elements.

    `formats`: number formats; a cell's style `s="1"` takes the first of them. `strings`: the inner
    XML of shared strings.
    """
    sheets = {"Sheet1": rows} if isinstance(rows, str) else dict(rows)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"'
        + (' state="hidden"/>' if name in hidden else "/>")
        for at, name in enumerate(sheets, 1)
    )
    codes = "".join(
        f'<numFmt numFmtId="{164 + at}" formatCode="{code}"/>' for at, code in enumerate(formats)
    )
    styles = "".join(f'<xf numFmtId="{164 + at}"/>' for at in range(len(formats)))
    relations = [
        *(
            (f"rId{at}", "worksheet", f"worksheets/sheet{at}.xml")
            for at in range(1, len(sheets) + 1)
        ),
        ("rId900", "styles", "styles.xml"),
        ("rId901", "sharedStrings", "sharedStrings.xml"),
    ]
    parts: dict[str, str | bytes] = {
        "_rels/.rels": _relations([("rId1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELS}">'
        f'<workbookPr date1904="{int(since_1904)}"/><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(relations),
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts>{codes}</numFmts>'
        f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
        f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">'
        + "".join(f"<si>{text}</si>" for text in strings)
        + "</sst>",
    }
    for at, content in enumerate(sheets.values(), 1):
        parts[f"xl/worksheets/sheet{at}.xml"] = (
            f'{prologue}<worksheet xmlns="{_MAIN}"><dimension ref="{dimension}"/>'
            f"<sheetData>{content}</sheetData>"
            f"{epilogue}</worksheet>"
        )
    return zipped({**parts, **(more or {})})


def table_xml(rows: Sequence[Sequence[object]]) -> str:
    """`<row>` elements of texts, numbers, truth values and blanks (None)."""
    return "".join(
        f'<row r="{number}">'
        + "".join(_cell(value, place, number) for place, value in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, 1)
    )


def _cell(value: object, place: int, row: int) -> str:
    at = f'r="{chr(65 + place)}{row}"'
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c {at} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f"<c {at}><v>{value}</v></c>"
    text = str(value).replace("&", "&amp;").replace("<", "&lt;")
    return f'<c {at} t="inlineStr"><is><t>{text}</t></is></c>'


_OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def ods(tables: Mapping[str, str], *, styles: str = "", manifest: str = "") -> bytes:
    """An OpenDocument workbook of tables given as `<table:table-row>` elements."""
    names = " ".join(
        f'xmlns:{prefix}="{_OASIS}:{path}:1.0"'
        for prefix, path in {
            "office": "office",
            "table": "table",
            "text": "text",
            "style": "style",
            "number": "datastyle",
        }.items()
    )
    content = "".join(
        f'<table:table table:name="{name}">{rows}</table:table>' for name, rows in tables.items()
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": f"<manifest>{manifest}</manifest>",
            "content.xml": f'<office:document-content {names} xmlns:calcext="urn:calcext">'
            f"<office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:spreadsheet>{content}</office:spreadsheet></office:body>"
            "</office:document-content>",
        }
    )


def xlsb(
    cells: Sequence[Sequence[tuple[int, bytes] | None]], *, strings: Sequence[str] = ()
) -> bytes:
    """A binary workbook of one sheet; a cell is its record type and its value's bytes."""
    sheet = b""
    for number, row in enumerate(cells):
        sheet += record(0, struct.pack("<I", number) + bytes(13))
        for column, cell in enumerate(row):
            if cell is not None:
                sheet += record(cell[0], struct.pack("<II", column, 0) + cell[1])
    shared = b"".join(record(19, b"\0" + wide(text)) for text in strings)
    return zipped(
        {
            "_rels/.rels": _relations([("rId1", "officeDocument", "xl/workbook.bin")]),
            "xl/workbook.bin": record(153, bytes(8))
            + record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("Sheet1")),
            "xl/_rels/workbook.bin.rels": _relations(
                [
                    ("rId1", "worksheet", "worksheets/sheet1.bin"),
                    ("rId2", "sharedStrings", "sharedStrings.bin"),
                ]
            ),
            "xl/worksheets/sheet1.bin": sheet,
            "xl/sharedStrings.bin": shared,
        }
    )


def record(kind: int, content: bytes) -> bytes:
    """A record of a binary workbook."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = b""
    left = len(content)
    while True:
        byte, left = left & 0x7F, left >> 7
        size += bytes([byte | (0x80 if left else 0)])
        if not left:
            return head + size + content


def wide(text: str) -> bytes:
    """An XLWideString."""
    encoded = text.encode("utf-16-le")
    return struct.pack("<I", len(encoded) // 2) + encoded
