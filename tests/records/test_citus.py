"""What Citus needs of the statements, held without it: docs/scaling.md says what for."""

import json
import random
import re
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from services.records.domain import Sent
from services.records.query.plan import Selection
from services.records.repository import arrays, registry, rows
from tests.records.conftest import Service, new_name

EMPTY_LIST = re.compile(r"\bSELECT\s+FROM\b", re.IGNORECASE)
PLAN = "Custom Scan (Citus Adaptive)  (cost=0.00..0.00 rows=100000 width=0)"


class Shards:
    """A connection that gives rows in another order, and plans as Citus does."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def execute(self, query: str, *args: Any) -> str:
        return str(await self._connection.execute(query, *args))

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        if query.startswith("EXPLAIN"):
            return [(PLAN,)]
        found = await self._connection.fetch(query, *args)
        return random.Random(1).sample(found, len(found))

    async def fetchrow(self, query: str, *args: Any) -> Any:
        return await self._connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await self._connection.fetchval(query, *args)


async def test_ids_of_an_array_are_those_of_its_elements_in_whatever_order_rows_return(
    service: Service,
) -> None:
    name = new_name()
    await service.ann.table(name, "a INTEGER")
    connection = await asyncpg.connect(service.database.direct_url("records"))
    table = await registry.find(connection, name)
    assert table is not None
    value = [{"a": number} for number in range(50)]
    sent = Sent(value, json.dumps(value))
    batch = arrays.Batch(columns=(table.by_name["a"],), numbers=tuple(range(1, 51)))
    written = await arrays.insert(Shards(connection), table, sent, batch)
    kept = dict(await connection.fetch(f'SELECT id, a FROM data."{name}"'))
    assert [kept[each.id] for each in written] == [each.number - 1 for each in written]
    await connection.close()


@pytest.mark.parametrize("count", [3, rows.COUNTED_UP_TO + 5])
async def test_a_distributed_table_is_counted_where_its_plan_says_nothing(
    service: Service, count: int
) -> None:
    name = new_name()
    await service.ann.table(name, "a INTEGER")
    connection = await asyncpg.connect(service.database.direct_url("records"))
    await connection.execute(f'INSERT INTO data."{name}" (a) SELECT generate_series(1, {count})')
    table = await registry.find(connection, name)
    assert table is not None
    assert await rows.estimate(Shards(connection), table, Selection()) == count
    await connection.close()


async def statements_of(service: Service, calls: Sequence[tuple[str, str, Any]]) -> list[str]:
    """What PostgreSQL is sent by calls, as its log has it."""
    owner = await asyncpg.connect(service.database.superuser_url)
    await owner.execute(
        f"ALTER ROLE records IN DATABASE {service.database.name} SET log_statement = 'all'"
    )
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'records' AND datname = current_database()"
    )
    log = service.database.cluster.log_file
    before = log.stat().st_size
    for method, path, body in calls:
        answer = await service.ann(method, path, body)
        if answer.status_code == 503:  # on a session that was ended
            answer = await service.ann(method, path, body)
        assert answer.is_success, answer.text
    await owner.execute(
        f"ALTER ROLE records IN DATABASE {service.database.name} RESET log_statement"
    )
    await owner.close()
    return re.split(r"^\d{4}-\d\d-\d\d .*?LOG: ", log.read_text()[before:], flags=re.MULTILINE)


async def test_statements_have_the_form_that_citus_plans(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a INTEGER", {"name": "k", "type": "TEXT", "unique": True})
    path = f"/api/tables/{table}/records"
    await service.ann.insert(table, {"a": 1, "k": "x"})
    statements = await statements_of(
        service,
        [
            ("GET", path, None),
            ("GET", f"{path}/1", None),
            ("POST", path, {"a": 2, "k": "y"}),
            ("POST", path, [{"a": 3}, {"a": 4}]),
            ("POST", f"{path}?on_conflict=update&key=k", [{"a": 5, "k": "x"}]),
            ("PATCH", f"{path}/1", {"a": 6}),
            ("PUT", f"{path}/1", {"a": 6, "k": "x"}),
            ("PATCH", f"{path}?a__gte=2", {"a": 7}),
            ("DELETE", f"{path}/2", None),
            ("DELETE", f"{path}?a=7", None),
        ],
    )
    changes = [each for each in statements if re.search(r"\b(UPDATE|DELETE FROM) data\.", each)]
    assert len(changes) >= 5
    for statement in changes:
        # Citus plans a distributed table beside none that is local, and no function's row type.
        of_table = statement[re.search(r"\b(UPDATE|DELETE FROM) data\.", statement).start() :]  # type: ignore[union-attr]
        of_table = of_table.partition("RETURNING")[0]
        assert "records.tables" not in of_table, statement
        assert "json_to_record" not in of_table, statement
    assert not [each for each in statements if EMPTY_LIST.search(each)]
    assert not [each for each in statements if "ALTER SEQUENCE" in each]
