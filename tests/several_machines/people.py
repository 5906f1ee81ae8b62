"""Files of names and ages, and what has become of them."""

from collections.abc import Mapping
from typing import Any

import httpx2

from tests.several_machines.machines import Machines
from tests.support.waiting import until

ROWS = 3_000
HELD = "person 2000"


def people(rows: int = ROWS, *, of: str = "person", bad: int = 0) -> bytes:
    """Names that are there once; the first `bad` ages are no numbers."""
    lines = (f"{of} {number},{'old' if number < bad else number % 100}" for number in range(rows))
    return "\n".join(["name,age", *lines, ""]).encode()


async def loaded(machines: Machines, table: str, import_: Mapping[str, Any]) -> tuple[int, int]:
    """How many rows of the import are there, and how many names they have."""
    row = await machines.owner.fetchrow(
        f'SELECT count(*), count(DISTINCT name) FROM data."{table}" WHERE _import = $1',
        import_["id"],
    )
    assert row is not None
    return row[0], row[1]


def is_whole(import_: Mapping[str, Any], rows: int = ROWS, *, bad: int = 0) -> bool:
    """Succeeded, and every row is accounted for."""
    assert import_["state"] == "succeeded", import_["error"]
    counts = import_["rows"]
    return (counts["read"], counts["loaded"], counts["rejected"]) == (rows, rows - bad, bad)


async def is_in_the_catalog(machines: Machines, etl: str, table: str) -> None:
    """Every gateway says soon that the ETL feeds this table alone."""
    tables = {"name": etl, "tables": [{"name": table, "schema": "data"}]}
    for http in machines.gateways:

        async def is_there(http: httpx2.AsyncClient = http) -> bool:
            return bool((await http.get(f"/api/etl/{etl}/tables/")).json() == tables)

        await until(f"the catalog knows {etl}", is_there)
