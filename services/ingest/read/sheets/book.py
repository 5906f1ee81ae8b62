"""What every kind of workbook gives: its sheets, and the rows of one of them."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from xml.parsers import expat

CHUNK_BYTES = 1 << 16
ROW_LIMIT = 1_048_576
COLUMN_LIMIT = 16_384


class BookError(Exception):
    """The file is damaged, encrypted or no workbook; `code` is the problem's."""

    def __init__(
        self, message: str, *, code: str = "damaged_file", choices: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.choices = list(choices)


class EncryptedBookError(BookError):
    """The workbook opens with a password alone."""

    def __init__(self) -> None:
        super().__init__(
            "the workbook is protected by a password: save it without one", code="encrypted_file"
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet, in the order of its tabs."""

    name: str
    hidden: bool = False


@dataclass(slots=True)
class Row:
    """A row that is not blank; `cells` may be shorter than others, blank cells are None."""

    number: int
    cells: list[str | None]
    texts: list[int] = field(default_factory=list)
    """Places of the cells that hold text, not a number, date or truth value."""
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    """Place, shown text and message of cells that hold no value: `#N/A` and the like."""

    def put(self, column: int, text: str | None) -> None:
        """Set a cell; columns in between are blank."""
        if column >= COLUMN_LIMIT:
            raise BookError(f"row {self.number} has a cell beyond column {COLUMN_LIMIT:,}")
        cells = self.cells
        missing = column - len(cells)
        if missing > 0:
            cells.extend([None] * missing)
        if missing >= 0:
            cells.append(text)
        else:
            cells[column] = text

    def put_text(self, column: int, text: str) -> None:
        """Set a cell of text; the empty text is a blank cell, as people see it."""
        if text:
            self.put(column, text)
            self.texts.append(column)

    def put_fault(self, column: int, shown: str, message: str) -> None:
        """Set a cell that holds no value."""
        self.put(column, shown)
        self.faults.append((column, shown, message))

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in the row."""
        return not self.cells


class Book(Protocol):
    """A workbook that has been opened."""

    @property
    def kind(self) -> str:
        """`xlsx`, `xlsb`, `ods` or `xls`."""
        ...

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """Its sheets with cells, in order; charts are left out."""
        ...

    def rows(self, sheet: int) -> Iterator[Row]:
        """The rows of a sheet that are not blank, in order. Raises BookError."""
        ...

    @property
    def share(self) -> float:
        """How much of the sheet has been read, from 0 to 1."""
        ...

    @property
    def merged(self) -> list[str]:
        """The merged ranges of the sheet that was read, once its rows are at their end."""
        ...


def error_message(name: str) -> str:
    """What is said of a cell that shows an error."""
    return f"the cell shows the error {name}"


NOT_COMPUTED = "the formula has no computed value: open and save the workbook in its program"


def reference(column: int, row: int) -> str:
    """`A1` for (0, 1)."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row}"


class Parts:
    """The parts of a workbook that is a ZIP file; counts what comes out of it."""

    def __init__(self, path: str, *, limit_bytes: int) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as exc:
            raise BookError(f"the workbook is damaged: {exc}") from exc
        self._names = {name.lower().lstrip("/"): name for name in self._zip.namelist()}
        self._left = limit_bytes
        self.share = 0.0
        """How much of the part that was read last has been read, from 0 to 1."""

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def chunks(self, name: str) -> Iterator[bytes]:
        """A part's bytes; raises BookError where it is missing, damaged or too large."""
        found = self._names.get(name.lower().lstrip("/"))
        if found is None:
            raise BookError(f"the workbook is damaged: it has no part {name}")
        try:
            size = max(1, self._zip.getinfo(found).file_size)
            done = 0
            with self._zip.open(found) as part:
                while chunk := part.read(CHUNK_BYTES):
                    self._left -= len(chunk)
                    done += len(chunk)
                    self.share = min(1.0, done / size)
                    if self._left < 0:
                        raise BookError(
                            "the workbook grows beyond the limit for decompressed files",
                            code="decompression_bomb",
                        )
                    yield chunk
        except RuntimeError as exc:  # zipfile's way to say that a password is wanted
            raise BookError(
                "the workbook is protected by a password: save it without one",
                code="encrypted_file",
            ) from exc
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, ValueError) as exc:
            raise BookError(f"the workbook is damaged: {exc}") from exc

    def bytes(self, name: str) -> bytes:
        """A small part as a whole."""
        return b"".join(self.chunks(name))


def parser() -> expat.XMLParserType:
    """An XML parser that refuses document types, and with them every entity of the file's own."""
    made = expat.ParserCreate()
    made.buffer_text = True

    def refuse(*_: object) -> None:
        raise BookError("the workbook declares a document type, which no program writes")

    made.StartDoctypeDeclHandler = refuse
    return made


def parse(xml: expat.XMLParserType, chunk: bytes, *, final: bool) -> None:
    """Feed a parser; raises BookError for XML that is not well-formed."""
    try:
        xml.Parse(chunk, final)
    except expat.ExpatError as exc:
        raise BookError(f"the workbook is damaged: {exc}") from exc


def local(name: str) -> str:
    """An element's or attribute's name without its prefix."""
    return name.rpartition(":")[2]


def attribute(attributes: Mapping[str, str], name: str) -> str | None:
    """An attribute by its local name."""
    if name in attributes:
        return attributes[name]
    return next((value for key, value in attributes.items() if local(key) == name), None)
