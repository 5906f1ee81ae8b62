"""CSV rows as an Excel workbook of one sheet, written as it is sent: memory is a few blocks.

ECMA-376 part 1, 18.3 (worksheets) and 18.8 (styles). Numbers of up to 15 digits are numbers, longer
ones texts, because Excel keeps no more; so are NaN, infinities, and days that Excel's calendar does
not have (before March 1900, after 9999). Instants are in UTC. A text is an inline string, which no
program reads as a formula.
"""

import asyncio
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

import polars as pl

from services.records.domain import Column
from services.records.files.arrow import Sink, blocks, texts_of
from shared.values.types import FLOAT_TYPES, TIMESTAMP_TYPES, ColumnType, TypeName

SHEET = "xl/worksheets/sheet1.xml"
SHEET_NAME_LIMIT = 31
DIGITS = 15
LONGEST_NUMBER = 40
"""So many characters; longer ones may be nearer to zero than a double can be."""
DECIMALS = 30
"""The most places behind the point of a number format."""
DEFLATE_LEVEL = 1
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
PROLOGUE = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

HEADER, DAY, MOMENT, FINE_MOMENT, CLOCK, FINE_CLOCK, FIRST_SCALE = range(1, 8)
"""Places in the list of cell formats; from the last one on, numbers by their decimals."""
FORMATS = {
    DAY: "yyyy-mm-dd",
    MOMENT: "yyyy-mm-dd hh:mm:ss",
    FINE_MOMENT: "yyyy-mm-dd hh:mm:ss.000",
    CLOCK: "hh:mm:ss",
    FINE_CLOCK: "hh:mm:ss.000",
}
FIRST_FORMAT_ID = 164
"""The lower ones are Excel's own."""
WIDTHS: Mapping[TypeName, int] = {
    TypeName.SMALLINT: 8,
    TypeName.BOOLEAN: 8,
    TypeName.DATE: 12,
    TypeName.TIME: 10,
    TypeName.TIMESTAMP: 21,
    TypeName.TIMESTAMPTZ: 21,
    TypeName.TEXT: 24,
    TypeName.VARCHAR: 24,
    TypeName.UUID: 38,
}
WIDTH, WIDEST = 14, 40

EPOCH = pl.datetime(1899, 12, 30)
FIRST_DAY = 61
"""1 March 1900: Excel has a 29 February 1900, and counts the days before it differently."""
LAST_DAY = 2_958_465
DAY_US = 86_400_000_000
SECOND_US = 1_000_000
MILLISECOND_US = 1_000

# What XML 1.0 cannot hold, and the carriage return, which its readers replace (22.9.2.19).
ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {
    character: f"_x{ord(character):04X}_"
    for character in [*map(chr, range(1, 32)), "\ufffe", "\uffff"]
    if character not in "\t\n"
}

Cells = Callable[[pl.Expr, "Place"], pl.Expr]


class Place:
    """Where cells stand: their column's letters, and an expression of their row's number."""

    def __init__(self, number: int) -> None:
        self.letters = letters_of(number)

    def number(self, value: pl.Expr, style: int = 0) -> pl.Expr:
        """Cells with numbers, out of their texts; nothing where there is none."""
        return self._cell(f'" s="{style}"><v>' if style else '"><v>', value, "</v></c>")

    def truth(self, value: pl.Expr) -> pl.Expr:
        """Cells with truth values, out of the texts `1` and `0`."""
        return self._cell('" t="b"><v>', value, "</v></c>")

    def text(self, value: pl.Expr) -> pl.Expr:
        """Cells with texts."""
        # What looks like an escape is escaped, underscore by underscore: one may end in another.
        lookalike = value.str.contains("_x[0-9A-Fa-f]{4}_")
        plain = pl.when(lookalike).then(value.str.replace_all("_x", "_x005F_x", literal=True))
        value = plain.otherwise(value).str.replace_many(list(ESCAPED), list(ESCAPED.values()))
        start = '" t="inlineStr"><is><t xml:space="preserve">'
        return self._cell(start, value, "</t></is></c>")

    def _cell(self, start: str, value: pl.Expr, end: str) -> pl.Expr:
        parts = [pl.lit(f'<c r="{self.letters}'), pl.col(ROW), pl.lit(start), value, pl.lit(end)]
        return pl.concat_str(parts)


ROW = "_row"
"""The column with rows' numbers; no column of a user's begins with an underscore."""


async def workbook(
    rows: AsyncIterator[bytes], columns: Sequence[Column], *, name: str, huge: bool
) -> AsyncIterator[bytes]:
    """A workbook out of CSV rows without a header, as COPY writes them.

    `huge` is for a sheet that may be over 2 GiB, in a form of ZIP that old programs do not read.
    """
    sink = Sink()
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=DEFLATE_LEVEL)
    scales = scales_of(columns)
    for path, content in parts(sheet_name(name), scales):
        archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    cells = [
        cells_of(column, Place(number), scales) for number, column in enumerate(columns, start=1)
    ]
    place = zipfile.ZipInfo(SHEET)
    place.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(place, "w", force_zip64=huge) as sheet:
        sheet.write(beginning(columns).encode())
        number = 2
        async for block in blocks(rows):
            text, height = await asyncio.to_thread(rows_of, block, columns, cells, number)
            number += height
            await asyncio.to_thread(sheet.write, text)
            if piece := sink.taken():
                yield piece
        sheet.write(b"</sheetData></worksheet>")
    archive.close()
    yield sink.taken()


def rows_of(
    block: bytes, columns: Sequence[Column], cells: Sequence[pl.Expr], first: int
) -> tuple[bytes, int]:
    """CSV rows as XML, numbered from `first`, and how many there are."""
    texts = texts_of(block, columns)
    numbers = pl.int_range(first, first + texts.height, eager=True).cast(pl.String())
    numbered = texts.with_columns(numbers.alias(ROW))
    parts = [pl.lit('<row r="'), pl.col(ROW), pl.lit('">'), *cells, pl.lit("</row>")]
    return "".join(numbered.select(pl.concat_str(parts)).to_series()).encode(), texts.height


def cells_of(column: Column, place: Place, scales: Sequence[int]) -> pl.Expr:
    """The cells of a column, empty text where there is no value."""
    value, kind = pl.col(column.name), column.type
    if kind.name in (TypeName.SMALLINT, TypeName.INTEGER):
        cells = place.number(value)
    elif kind.name is TypeName.BOOLEAN:
        cells = place.truth(pl.when(value == "t").then(pl.lit("1")).otherwise(_zero(value)))
    elif kind.name in (TypeName.BIGINT, TypeName.NUMERIC):
        cells = _either(_few_digits(value), place.number(value, _style(kind, scales)), value, place)
    elif kind.name in FLOAT_TYPES:
        size = value.cast(pl.Float64(), strict=False).abs()
        kept = size.is_between(2.3e-308, 9.9e307) | (size == 0)
        cells = _either(kept, place.number(value), value, place)
    elif kind.name is TypeName.DATE:
        day = value.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
        cells = _moments(day, value, place, (DAY, DAY))
    elif kind.name in TIMESTAMP_TYPES:
        text = value.str.strip_suffix("+00")
        moment = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
        cells = _moments(moment, value, place, (MOMENT, FINE_MOMENT))
    elif kind.name is TypeName.TIME:
        clock = value.str.to_time("%H:%M:%S%.f", strict=False)
        cells = _clocks(clock, value, place)
    else:
        cells = place.text(value)
    return cells.fill_null("")


def _zero(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_not_null()).then(pl.lit("0"))


def _either(condition: pl.Expr, cells: pl.Expr, value: pl.Expr, place: Place) -> pl.Expr:
    return pl.when(condition).then(cells).otherwise(place.text(value))


def _few_digits(value: pl.Expr) -> pl.Expr:
    plain = value.str.contains(r"^-?\d+(\.\d+)?$") & (value.str.len_bytes() <= LONGEST_NUMBER)
    shortest = pl.when(value.str.contains(".", literal=True)).then(value.str.strip_chars_end("0"))
    digits = shortest.otherwise(value).str.replace_all("[-.]", "").str.strip_chars_start("0")
    return plain & (digits.str.len_bytes() <= DIGITS)


def _moments(moment: pl.Expr, value: pl.Expr, place: Place, styles: tuple[int, int]) -> pl.Expr:
    microseconds = (moment - EPOCH).dt.total_microseconds()
    days = microseconds / DAY_US
    whole, fine = (place.number(_short(days), style) for style in styles)
    cells = pl.when(microseconds % SECOND_US == 0).then(whole).otherwise(fine)
    return _either(days.is_between(FIRST_DAY, LAST_DAY + 1, closed="left"), cells, value, place)


def _clocks(clock: pl.Expr, value: pl.Expr, place: Place) -> pl.Expr:
    microseconds = clock.cast(pl.Int64()) // 1000
    days = _short(microseconds / DAY_US)
    cells = (
        pl.when(microseconds % SECOND_US == 0)
        .then(place.number(days, CLOCK))
        .otherwise(place.number(days, FINE_CLOCK))
    )
    # Excel keeps milliseconds, and would round the end of the day up to 24:00.
    return _either(microseconds % MILLISECOND_US == 0, cells, value, place)


def _short(days: pl.Expr) -> pl.Expr:
    # Whole days without a point.
    return days.cast(pl.String()).str.strip_suffix(".0")


def _style(kind: ColumnType, scales: Sequence[int]) -> int:
    return FIRST_SCALE + scales.index(kind.scale) if kind.scale in scales else 0


def scales_of(columns: Sequence[Column]) -> Sequence[int]:
    """The numbers of decimals for which there is a format."""
    scales = {column.type.scale for column in columns if column.type.name is TypeName.NUMERIC}
    return sorted(scale for scale in scales if scale and scale <= DECIMALS)


def letters_of(number: int) -> str:
    """The letters of a column by its number from 1."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def sheet_name(name: str) -> str:
    """The table's name as Excel takes one for a sheet: short, and none that it keeps for itself."""
    short = name.encode("utf-16-le")[: 2 * SHEET_NAME_LIMIT].decode("utf-16-le", "ignore")
    return f"{short}_" if short.lower() == "history" else short


def beginning(columns: Sequence[Column]) -> str:
    """The sheet up to its first row of values: the header, which stays in view."""
    widths = "".join(
        f'<col min="{number}" max="{number}" width="{_width(column)}" customWidth="1"/>'
        for number, column in enumerate(columns, start=1)
    )
    header = "".join(
        f'<c r="{letters_of(number)}1" s="{HEADER}" t="inlineStr"><is><t>{column.name}</t></is></c>'
        for number, column in enumerate(columns, start=1)
    )
    return (
        f'{PROLOGUE}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
        f'</sheetViews><cols>{widths}</cols><sheetData><row r="1">{header}</row>'
    )


def _width(column: Column) -> int:
    return min(WIDEST, max(WIDTHS.get(column.type.name, WIDTH), len(column.name) + 2))


def parts(sheet: str, scales: Sequence[int]) -> Iterator[tuple[str, str]]:
    """The small parts of the package, by their paths."""
    document = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    overrides = "".join(
        f'<Override PartName="/{path}" ContentType="{document}.{kind}+xml"/>'
        for path, kind in (
            ("xl/workbook.xml", "sheet.main"),
            (SHEET, "worksheet"),
            ("xl/styles.xml", "styles"),
        )
    )
    types = (
        f'{PROLOGUE}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )
    yield "[Content_Types].xml", types
    yield "_rels/.rels", _relations(("officeDocument", "xl/workbook.xml"))
    book = (
        f'{PROLOGUE}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    yield "xl/workbook.xml", book
    yield (
        "xl/_rels/workbook.xml.rels",
        _relations(("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")),
    )
    yield "xl/styles.xml", _styles(scales)


def _relations(*targets: tuple[str, str]) -> str:
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'{PROLOGUE}<Relationships xmlns="{PACKAGE}/relationships">{listed}</Relationships>'


def _styles(scales: Sequence[int]) -> str:
    codes = [*FORMATS.values(), *(f"0.{'0' * scale}" for scale in scales)]
    formats = "".join(
        f'<numFmt numFmtId="{number}" formatCode="{code}"/>'
        for number, code in enumerate(codes, start=FIRST_FORMAT_ID)
    )
    cells = "".join(
        f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0"'
        ' applyNumberFormat="1"/>'
        for number, _ in enumerate(codes, start=FIRST_FORMAT_ID)
    )
    plain = '<xf numFmtId="0" fontId="0" fillId="0" borderId="0"'
    font = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
    return (
        f'{PROLOGUE}<styleSheet xmlns="{MAIN}"><numFmts count="{len(codes)}">{formats}</numFmts>'
        f'<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        f'<cellStyleXfs count="1">{plain}/></cellStyleXfs><cellXfs count="{len(codes) + 2}">'
        f'{plain} xfId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0"'
        f' applyFont="1"/>{cells}</cellXfs><cellStyles count="1">'
        '<cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
