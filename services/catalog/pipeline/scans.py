"""Lines of a database's scan as rows."""

from pydantic import TypeAdapter

from services.catalog.domain import ScanRow
from services.catalog.pipeline.lines import Block, checked_lines
from shared.contracts.catalog import ScannedColumn, ScannedTable

columns_json = TypeAdapter(tuple[ScannedColumn, ...])


def read_scan(block: Block, *, etl: str) -> list[ScanRow]:
    """The block's rows, all of one ETL.

    Raises LineRefusedError for the first line that does not fit.
    """
    return [
        (
            number,
            etl,
            table.schema_name,
            table.table_name,
            columns_json.dump_json(table.columns).decode(),
            table.estimated_rows,
        )
        for number, table in checked_lines(block, ScannedTable)
    ]
