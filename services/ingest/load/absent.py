"""Cells that a row of an upsert leaves out, so that the record keeps its value."""

from collections.abc import Sequence

import polars as pl

from services.ingest.judge.judging import Judged
from services.ingest.load.staging import ABSENT, PRESENT
from services.ingest.plan.columns import PlannedColumn
from services.ingest.read.frame import Frame


def absent_of(
    frame: Frame, judged: Judged, columns: Sequence[PlannedColumn], *, keeps_blank: bool
) -> pl.Series | None:
    """For each good row a character a column, null where it leaves none out.

    Keys that a JSON element has not are left out, and with `keeps_blank` empty cells. None where
    no row leaves any out.
    """
    marks = [_mark(frame, judged, column, keeps_blank=keeps_blank) for column in columns]
    if not any(mark.any() for mark in marks):
        return None
    masks = pl.DataFrame(mark.alias(str(at)) for at, mark in enumerate(marks))
    spelled = pl.concat_str(pl.when(pl.all()).then(pl.lit(ABSENT)).otherwise(pl.lit(PRESENT)))
    return masks.select(pl.when(pl.any_horizontal(pl.all())).then(spelled)).to_series()


def _mark(frame: Frame, judged: Judged, column: PlannedColumn, *, keeps_blank: bool) -> pl.Series:
    mark = pl.repeat(value=False, n=judged.good.height, dtype=pl.Boolean, eager=True)
    if (absent := frame.absent.get(column.source)) is not None:
        mark |= absent.gather(judged.rows)
    if keeps_blank and judged.good[column.target].null_count():
        cells = frame.cells[column.source].gather(judged.rows)
        blank = cells.is_null()
        if cells.dtype == pl.String:
            blank |= (cells.str.strip_chars() == "").fill_null(value=True)
        mark |= blank & judged.good[column.target].is_null()
    return mark
