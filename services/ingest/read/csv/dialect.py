"""How a delimited file is written: its delimiter, when nobody named it, and its header."""

from services.ingest.domain import ImportOptions
from services.ingest.errors import EmptyFileError, OptionError, RecordTooLargeError
from services.ingest.read.csv.quoting import (
    SWAPPED,
    Cut,
    Dialect,
    Split,
    Splitter,
)

CANDIDATES = (b",", b";", b"\t", b"|")
SAMPLED_RECORDS = 50


def dialect_of(head: bytes, options: ImportOptions) -> Dialect:
    """The named delimiter and quote, or the delimiter that splits the head best.

    Of `,` `;` tab and `|`, the one with which most of the first 50 records have as many fields as
    the header, more than one; with equal shares the one with most fields, then the first. A file
    in which none of them splits the header has one column.
    Raises OptionError when a named one cannot be used.
    """
    quote = _named(options.quote, "quote", '"')
    if options.delimiter is not None:
        if (other := swapped(options)) is not None:
            return Dialect(SWAPPED, quote, other.decode())
        delimiter = _named(options.delimiter, "delimiter", None)
        if delimiter is None or delimiter == quote:
            raise OptionError.of("delimiter", "invalid_option", "must not be the quote, or empty")
        return Dialect(delimiter, quote)
    best, best_score = Dialect(b",", quote), (0.0, 0)
    for delimiter in CANDIDATES:
        if delimiter == quote:
            continue
        dialect = Dialect(delimiter, quote)
        score = _score(head, dialect)
        if score > best_score:
            best, best_score = dialect, score
    return best


def swapped(options: ImportOptions) -> bytes | None:
    """A named delimiter outside ASCII, in UTF-8; such a one is swapped before the text is cut."""
    named = options.delimiter or ""
    return named.encode() if len(named) == 1 and not named.isascii() else None


def split_header(head: bytes, dialect: Dialect, *, complete: bool) -> tuple[tuple[str, ...], int]:
    """The cells of the first record that is not blank, and where the record behind it starts.

    `complete`: `head` is the whole file. Raises EmptyFileError, RecordTooLargeError.
    """
    start = 0
    while head[start : start + 1] == b"\n" or head[start : start + 2] == b"\r\n":
        start = head.index(b"\n", start) + 1
    if start >= len(head):
        raise EmptyFileError("the file is empty")
    split = Splitter(dialect).split(head, start, final=complete)
    if isinstance(split, Cut):
        if split is Cut.INCOMPLETE:
            raise RecordTooLargeError("the first line, which names the columns, never ends")
        raise RecordTooLargeError("the header opens a quote that is not closed properly")
    return tuple((cell or b"").decode(errors="replace") for cell in split.fields), split.end


def _named(value: str | None, option: str, default: str | None) -> bytes | None:
    if value is None:
        return default.encode() if default else None
    if value == "":
        return None
    spelled = {"\\t": "\t", "tab": "\t"}.get(value, value)
    if len(spelled) != 1 or spelled in "\r\n\0" or len(spelled.encode()) != 1:
        raise OptionError.of(option, "invalid_option", "must be one character (a quote: of ASCII)")
    return spelled.encode()


def _score(head: bytes, dialect: Dialect) -> tuple[float, int]:
    splitter = Splitter(dialect)
    position = same = records = width = 0
    while position < len(head) and records < SAMPLED_RECORDS:
        split = splitter.split(head, position, final=True)
        if not isinstance(split, Split):
            break
        position = split.end
        if split.fields == (None,):
            continue
        records += 1
        width = width or len(split.fields)
        same += len(split.fields) == width
    return (same / records, width) if width > 1 else (0.0, 0)
