"""Lines of a database's scan as rows."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Discriminator, Tag, TypeAdapter

from services.catalog.domain import ScanRow
from services.catalog.pipeline.lines import Block, checked_lines
from shared.contracts.catalog import ScanLine, ScannedColumn, ScannedSchema, ScannedTable


def _kind(line: object) -> str:
    return "schema" if isinstance(line, dict) and "whole" in line else "table"


line = TypeAdapter[ScanLine](
    Annotated[
        Annotated[ScannedTable, Tag("table")] | Annotated[ScannedSchema, Tag("schema")],
        Discriminator(_kind),
    ]
)
columns_json = TypeAdapter(tuple[ScannedColumn, ...])


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a block of a scan holds: its tables, and its schemas, whether they were seen whole."""

    tables: list[ScanRow]
    schemas: dict[str, bool]


def read_scan(block: Block, *, etl: str) -> Scanned:
    """The block's rows, all of one ETL.

    Raises LineRefusedError for the first line that does not fit.
    """
    scanned = Scanned([], {})
    for number, entry in checked_lines(block, line, tags=("table", "schema")):
        if isinstance(entry, ScannedSchema):
            scanned.schemas[entry.schema_name] = entry.whole
            continue
        scanned.tables.append(
            (
                number,
                etl,
                entry.schema_name,
                entry.table_name,
                columns_json.dump_json(entry.columns).decode(),
                entry.estimated_rows,
            )
        )
    return scanned
