"""A file read without a database: what it turned out to be, and its rows as text."""

from dataclasses import dataclass, field, replace
from typing import Any

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.plan.columns import plan_to_infer
from services.ingest.read.formats import opened
from services.ingest.read.frame import LeftOut
from services.ingest.read.limits import Limits
from services.ingest.read.source import ReadAgainError, Source
from shared.contracts.records import TableContract
from tests.ingest.load.loading import StoredBytes

Row = tuple[str | None, ...]


@dataclass
class Read:
    """What one file was read as; `rows` by their lines."""

    names: list[str]
    format: FormatFound
    rows: dict[int, Row] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[Row]:
        return list(self.rows.values())


async def read(
    data: str | bytes,
    *,
    file_name: str = "file.csv",
    contract: TableContract | None = None,
    block: int = 1 << 20,
    chunk: int = 65_536,
    **options: Any,
) -> Read:
    """Read a file as an import into a new table would; raises FileRefusedError."""
    stored = StoredBytes(data.encode() if isinstance(data, str) else data, chunk)
    source = await opened(
        stored,
        file_name=file_name,
        options=ImportOptions(**options),
        contract=contract,
        limits=Limits(block_bytes=block),
    )
    while True:
        try:
            return await _all(source)
        except ReadAgainError as again:
            source = again.source


async def _all(source: Source) -> Read:
    assert source.format is not None
    result = Read([column.name for column in source.columns], source.format)
    left_out = LeftOut()
    async for frame in source.frames(plan_to_infer(source)):
        result.rows.update(zip(frame.lines.to_list(), frame.cells.rows(), strict=True))
        result.refused += [(row.line, row.code.value) for row in frame.refused]
        result.raw += [row.raw for row in frame.refused]
        left_out += frame.left_out
    result.format = replace(
        result.format,
        blank_rows=left_out.blank_rows,
        repeated_headers=left_out.repeated_headers,
        byte_order_marks=left_out.byte_order_marks,
        rule_lines=left_out.rule_lines,
    )
    return result
