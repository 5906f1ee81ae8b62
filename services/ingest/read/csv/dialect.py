"""How a delimited file is written, when nobody said so: its delimiter, quotes and blanks.

A reading of the head by a delimiter is good when its records have as many fields as its header.
Of several good ones, that is taken in which no field holds another candidate in a place where
people do not write it (`Preis, EUR` and `1,50` are fine, `a;b` is not), then that whose header
the table knows. What is left is a tie, which only a person decides.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from services.ingest.domain.options import ImportOptions
from services.ingest.errors import OptionError, TooManyColumnsError
from services.ingest.read.csv.header import Header, header_of
from services.ingest.read.csv.quoting import FIELDS_LIMIT, SWAPPED, Dialect
from services.ingest.read.csv.sample import Sample, gaps
from services.ingest.read.errors import DelimiterNeededError, RecordTooLargeError
from shared.contracts.problem import FieldError

STRONG = (",", ";", "\t", "|")
WEAK = ("^", "~", "\x01", "\x1f", "¦", "::")
"""Candidates that are tried where none of the others splits the header."""
MOST_REPEATED = 4
GOOD_SHARE = 0.9
"""A rival must hold in so many of the records in which the best one does."""
NO_QUOTE = "none"
BACKSLASH = "backslash"
_SHOWN_ROWS = 3
_UNNATURAL = {
    ",": re.compile(rb"(?<!\d),(?! )|,(?![\d ])"),
    ";": re.compile(rb";(?! )"),
    "\t": re.compile(rb"\t"),
    "|": re.compile(rb"(?<! )\||\|(?! )"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """The head of a file as one dialect reads it."""

    sample: Sample
    header: Header

    @property
    def dialect(self) -> Dialect:
        """The dialect."""
        return self.sample.dialect

    @property
    def rows(self) -> int:
        """How many records stand behind the header."""
        return len(self.sample.records) - self.header.rows_from

    @property
    def share(self) -> float:
        """The share of the rows that have as many fields as the header."""
        records = self.sample.records[self.header.rows_from :]
        fit = sum(len(record.fields) in self.header.widths for record in records)
        return fit / len(records) if records else 1.0

    @property
    def parts_rows(self) -> bool:
        """Whether most rows have one number of fields, beyond the header's."""
        records = self.sample.records[self.header.rows_from :]
        width = self.sample.width(behind=self.header.rows_from)
        return width > 1 and sum(len(row.fields) == width for row in records) * 2 > len(records)

    @property
    def clean(self) -> bool:
        """Whether no field holds another candidate where people do not write it."""
        delimiter, quote = re.escape(self.dialect.delimiter), self.dialect.quote
        others = [pattern for other, pattern in _UNNATURAL.items() if other != self.dialect.written]
        for record in self.sample.records[self.header.at :]:
            raw = record.raw
            if len(record.fields) > FIELDS_LIMIT:
                continue
            if quote is not None and quote in raw:
                q = re.escape(quote)
                quoted = (
                    rb"(^|" + delimiter + rb")\s*" + q + rb"(?:[^" + q + rb"]|" + q + q + rb")*" + q
                )
                raw = re.sub(quoted, rb"\1", raw)
            cells = raw.split(self.dialect.delimiter)
            if any(pattern.search(cell.strip()) for cell in cells for pattern in others):
                return False
        return True


def reading_of(
    text: bytes,
    options: ImportOptions,
    *,
    known: frozenset[str],
    start: int,
    line: int,
    named: str | None = None,
) -> Reading:
    """The head as the named delimiter and quote read it, or those that read it best.

    `named` is a delimiter that the file itself names. Raises OptionError, DelimiterNeededError,
    EmptyFileError, RecordTooLargeError, TooManyColumnsError.
    """

    def read(delimiter: str) -> Reading:
        sample = _sample(text, delimiter, options, start=start, line=line)
        return Reading(sample, header_of(sample, options, known=known))

    delimiter = options.delimiter or named
    if delimiter is not None:
        _refuse_delimiter(delimiter, options)
        return read(delimiter)

    refused: list[TooManyColumnsError] = []

    def readings(candidates: Iterable[str]) -> Iterator[Reading]:
        for candidate in candidates:
            try:
                reading = read(candidate)
            except RecordTooLargeError:  # a quote of its header is not closed
                continue
            except TooManyColumnsError as error:
                refused.append(error)
                continue
            yield reading

    strong = list(readings(_candidates(text, options, start)))
    several = _wide(strong)
    if not any(reading.header.fits for reading in several):
        weak = _wide(readings(candidate for candidate in WEAK if candidate.encode() in text))
        several += [reading for reading in weak if reading.header.fits]
    if refused and not any(reading.header.fits for reading in several):
        raise refused[0]
    if several:
        return _best(several, known)
    # Rows that are parted as evenly are none of one column: they are refused, and say why.
    return next((reading for reading in strong if reading.parts_rows), None) or read(",")


def _wide(readings: Iterable[Reading]) -> list[Reading]:
    return [reading for reading in readings if reading.header.width > 1]


def _best(readings: list[Reading], known: frozenset[str]) -> Reading:
    fitting = [reading for reading in readings if reading.header.fits]
    if not fitting:
        return max(readings, key=lambda reading: (reading.share, reading.header.width))
    best_share = max(reading.share for reading in fitting)
    rivals = [reading for reading in fitting if reading.share >= GOOD_SHARE * best_share]
    named = [reading for reading in rivals if all(reading.header.texts)]
    rivals = named or rivals
    if len(rivals) == 1:
        return rivals[0]
    matched = [reading for reading in rivals if known.issuperset(reading.header.texts)]
    if len(matched) == 1:
        return matched[0]
    clean = [reading for reading in rivals if reading.clean]
    if len(clean) == 1:
        return clean[0]
    rivals = clean or rivals
    best = [reading for reading in rivals if reading.share == max(r.share for r in rivals)]
    if len(best) == 1:
        return best[0]
    raise _needed(best)


def _needed(readings: list[Reading]) -> DelimiterNeededError:
    """The refusal, with the first rows in each reading."""
    shown = []
    for reading in readings:
        records = reading.sample.records[reading.header.at :][:_SHOWN_ROWS]
        rows = "; ".join(" | ".join(record.texts[:10])[:100] for record in records)
        shown.append(f"with '{reading.dialect.written}': {rows}")
    detail = (
        "the file can be read with more than one delimiter: send it again with `delimiter`. Its"
        f" first rows are, {'. Or, '.join(shown)}"
    )
    return DelimiterNeededError(
        detail,
        errors=[FieldError(field="delimiter", code=DelimiterNeededError.code, message=detail)],
    )


def _candidates(text: bytes, options: ImportOptions, start: int) -> Iterator[str]:
    """Those delimiters that the text has; one that the first line only has doubled, so too."""
    first = text[start : text.find(b"\n", start) + 1 or len(text)]
    for candidate in STRONG:
        if text.find(candidate.encode(), start) < 0:
            continue
        pattern = re.escape(candidate.encode()) + b"+"
        runs = {run.end() - run.start() for run in re.finditer(pattern, first)}
        repeated = min(runs, default=1)
        if candidate == options.quote:
            continue
        if 1 < repeated <= MOST_REPEATED and all(run % repeated == 0 for run in runs):
            yield candidate * repeated
        yield candidate


def _sample(
    text: bytes, delimiter: str, options: ImportOptions, *, start: int, line: int
) -> Sample:
    """The records by a delimiter, with the quote and the blanks that fit it best."""
    encoded = delimiter.encode()
    swapped = None if len(encoded) == 1 else delimiter
    if swapped is not None:
        start = len(text[:start].replace(encoded, SWAPPED))
        text = text.replace(encoded, SWAPPED)
    dialect = Dialect(
        delimiter=encoded if swapped is None else SWAPPED,
        quote=_named_quote(options.quote),
        swapped=swapped,
        trim=options.trim == "all",
        comment=options.comment.encode() if options.comment else None,
        backslash=options.escape == BACKSLASH,
    )

    def sample(dialect: Dialect) -> Sample:
        return Sample.of(text, dialect, start=start, line=line)

    found = sample(dialect)
    if options.trim == "auto" and found.ruled:
        dialect = replace(dialect, trim=True)
        found = sample(dialect)
    elif options.trim == "auto" and _has_gaps(found):
        trimmed = sample(replace(dialect, trim=True))
        if all(gaps(record, dialect)[0] for record in trimmed.records) or all(
            gaps(record, dialect)[1] for record in trimmed.records
        ):
            found = trimmed
    if options.quote is None and not dialect.backslash:
        return _with_best_quote(found, text, sample)
    return found


def _has_gaps(sample: Sample) -> bool:
    delimiter = sample.dialect.delimiter
    return len(sample.records) > 1 and any(
        delimiter + blank in record.raw or blank + delimiter in record.raw
        for record in sample.records[:1]
        for blank in (b" ", b"\t")
    )


def _with_best_quote(quoted: Sample, text: bytes, sample: Callable[[Dialect], Sample]) -> Sample:
    """Quotes are plain characters where they only confuse: every line fits without them.

    That is so where some field between two of them has several lines, and none has one. In a
    head without any, `'` is the quote if it only fits with that.
    """
    quote = quoted.dialect.quote or b'"'
    if quote in text:
        plain = sample(replace(quoted.dialect, quote=None))
        spans = any(record.fields and b"\n" in record.raw for record in quoted.records)
        return plain if spans and _is_even(plain) and not _has_quoted(plain, quote) else quoted
    if b"'" in text and not _is_even(quoted):
        single = sample(replace(quoted.dialect, quote=b"'"))
        return single if _is_even(single) else quoted
    return quoted


def _is_even(sample: Sample) -> bool:
    width = sample.width()
    return width > 1 and all(len(record.fields) == width for record in sample.records)


def _has_quoted(plain: Sample, quote: bytes) -> bool:
    return any(
        field is not None
        and len(field.strip()) > 1
        and field.strip().startswith(quote)
        and field.strip().endswith(quote)
        for record in plain.records
        for field in record.fields
    )


def swapped_of(delimiter: str) -> bytes | None:
    """A delimiter of several bytes, which is swapped before the text is cut."""
    encoded = delimiter.encode()
    return encoded if len(encoded) > 1 else None


def _refuse_delimiter(delimiter: str, options: ImportOptions) -> None:
    quote = _named_quote(options.quote)
    if not 1 <= len(delimiter) <= MOST_REPEATED or set(delimiter) & set("\r\n\0"):
        raise OptionError.of(
            "delimiter", "invalid_option", f"must be one to {MOST_REPEATED} characters"
        )
    if quote is not None and quote.decode() in delimiter:
        raise OptionError.of("delimiter", "invalid_option", "must not hold the quote")


def _named_quote(option: str | None) -> bytes | None:
    """The quote by its option; `"` where there is none. Raises OptionError."""
    if option is None:
        return b'"'
    if option in (NO_QUOTE, ""):
        return None
    if len(option) != 1 or not option.isascii() or option in "\r\n\0":
        raise OptionError.of("quote", "invalid_option", "must be one character of ASCII, or `none`")
    return option.encode()
