"""Cells: from text to typed values, with the exact reason where one is refused."""

from services.ingest.pipeline.cells.judging import (
    BadRows,
    CellRules,
    Judged,
    PlannedColumn,
    judge,
)
from services.ingest.pipeline.cells.types import dtype_of

__all__ = ["BadRows", "CellRules", "Judged", "PlannedColumn", "dtype_of", "judge"]
