"""The report of refused rows: a CSV that can be corrected and sent again, and the first as objects.

The CSV is comma-separated UTF-8 with minimal quoting, whatever the source was: the original
columns, then `_line,_column,_code,_message,_raw`. A row stands in it once, with all its reasons
(joined by "; "), so that the corrected file does not bring the row twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import polars as pl

from services.ingest.domain.outcome import Reason, Reject, RejectCode
from services.ingest.judge.judging import BadRows, as_readable
from services.ingest.load.outside import RejectStore
from services.ingest.plan.names import REPORT_COLUMNS
from services.ingest.read.frame import RefusedRow

KEPT_FOR_JSON = 1_000
VALUE_LIMIT = 200
ROWS_AT_ONCE = 1 << 12
"""So many are spelled at a time: their reasons take many times the memory of their cells."""
_OWN = tuple(f"\0{name}" for name in REPORT_COLUMNS)
"""What the report's own columns are called here, where a source may have any other."""


class RejectReport:
    """Writes one pass's refused rows, in the order in which they are found."""

    def __init__(self, store: RejectStore, originals: Mapping[str, str]) -> None:
        self._store = store
        self._headings = tuple(originals.values())
        self._originals = list(originals)
        self._kept = 0
        self._begun = False
        self._reasons: dict[tuple[str | None, str], tuple[int, int]] = {}
        self.rows = 0

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why rows were refused in this pass, most frequent first."""
        reasons = [
            Reason(column, RejectCode(code), count, line)
            for (column, code), (count, line) in self._reasons.items()
        ]
        return tuple(sorted(reasons, key=lambda reason: (-reason.count, reason.first_line)))

    async def restart(self) -> None:
        """Forget this pass: the file is read again."""
        self._kept, self._begun, self.rows = 0, False, 0
        self._reasons.clear()
        await self._store.restart()

    async def add(self, bad: BadRows, refused: Sequence[RefusedRow] = ()) -> None:
        """Report rows that do not fit and rows that could not be split, by their lines."""
        if not bad.cells.height and not refused:
            return
        self.rows += bad.cells.height + len(refused)
        self._count(bad, refused)
        if not self._begun:
            self._begun = True
            await self._store.write(_csv_line((*self._headings, *REPORT_COLUMNS)))
        for some_bad, some_refused in in_parts(bad, refused):
            await self._store.write(self._csv(some_bad, some_refused))
            if self._kept < KEPT_FOR_JSON:
                rejects = self._objects(some_bad, some_refused)[: KEPT_FOR_JSON - self._kept]
                self._kept += len(rejects)
                await self._store.keep(rejects)

    def _count(self, bad: BadRows, refused: Sequence[RefusedRow]) -> None:
        counts = bad.faults.group_by("column", "code").agg(pl.len(), pl.col("row").min()).rows()
        lines = bad.lines
        seen = [(column, code, count, lines[row]) for column, code, count, row in counts]
        seen += [(row.column, row.code.value, 1, row.line) for row in refused]
        for column, code, count, line in seen:
            name = None if column is None else _storable(column)
            before, first = self._reasons.get((name, code), (0, line))
            self._reasons[name, code] = (before + count, min(first, line))

    def _csv(self, bad: BadRows, refused: Sequence[RefusedRow]) -> bytes:
        joined = (
            bad.faults.group_by("row", maintain_order=True)
            .agg(pl.col("column", "code", "message").str.join("; "))
            .sort("row")
        )
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, bad.cells.height)
        split = bad.cells.select(pl.col(self._originals).map_batches(as_readable)).with_columns(
            column.alias(name)
            for name, column in zip(
                _OWN,
                (bad.lines, joined["column"], joined["code"], joined["message"], nothing),
                strict=True,
            )
        )
        unsplit = pl.DataFrame(
            [(row.line, row.column, row.code.value, row.message, row.raw) for row in refused],
            schema={name: split.schema[name] for name in _OWN},
            orient="row",
        )
        rows = pl.concat([split, unsplit], how="diagonal").sort(_OWN[0], maintain_order=True)
        return rows.write_csv(include_header=False, quote_style="necessary").encode()

    def _objects(self, bad: BadRows, refused: Sequence[RefusedRow]) -> list[Reject]:
        wanted = KEPT_FOR_JSON - self._kept
        faults = bad.faults.head(wanted)
        rows = faults["row"]
        cells = bad.cells.select(pl.col(self._originals).map_batches(as_readable))[rows].rows()
        lines = bad.lines.gather(rows).to_list()
        rejects = [
            Reject(
                line=line,
                column=column,
                code=RejectCode(code),
                message=_storable(message),
                value=None if value is None else _storable(value[:VALUE_LIMIT]),
                cells=tuple(None if cell is None else _storable(cell) for cell in row),
            )
            for line, (_, column, code, message, value), row in zip(
                lines, faults.rows(), cells, strict=True
            )
        ]
        rejects += [
            Reject(
                line=row.line,
                column=row.column,
                code=row.code,
                message=_storable(row.message),
                value=None,
                raw=_storable(row.raw),
            )
            for row in refused[:wanted]
        ]
        rejects.sort(key=lambda reject: reject.line)
        return rejects


def in_parts(
    bad: BadRows, refused: Sequence[RefusedRow]
) -> Iterator[tuple[BadRows, Sequence[RefusedRow]]]:
    """Both in the order of their lines, at most about `ROWS_AT_ONCE` of them at a time."""
    if bad.cells.height + len(refused) <= ROWS_AT_ONCE:
        yield bad, refused
        return
    lines = pl.concat([bad.lines, pl.Series([row.line for row in refused], dtype=pl.Int64)]).sort()
    starts = [*lines.gather_every(ROWS_AT_ONCE).unique(maintain_order=True), lines[-1] + 1]
    for start, end in pairwise(starts):
        rows = bad.lines.is_between(start, end, closed="left").arg_true()
        first, count = (rows[0], len(rows)) if len(rows) else (0, 0)
        faults = bad.faults.filter(pl.col("row").is_between(first, first + count, closed="left"))
        yield (
            BadRows(
                bad.cells.slice(first, count),
                bad.lines.slice(first, count),
                faults.with_columns(pl.col("row") - first),
            ),
            [row for row in refused if start <= row.line < end],
        )


def _storable(text: str) -> str:
    """PostgreSQL's text and jsonb hold no U+0000."""
    return text.replace("\0", "\\0")


def _csv_line(cells: Sequence[str]) -> bytes:
    header = pl.DataFrame([[cell] for cell in cells], schema=[str(at) for at in range(len(cells))])
    return header.write_csv(include_header=False, quote_style="necessary").encode()
