"""Errors as Citus reports them (messages of Citus 13.2): no code of their own, names of shards."""

import asyncpg
import pytest

from deploy.local.postgresql import Cluster
from shared.away import is_away
from shared.store.citus import coded, constraint_of

DUPLICATE = 'duplicate key value violates unique constraint "people_email_key_102276"'
CHECK = 'new row for relation "people_102276" violates check constraint "people_age_min_102276"'


@pytest.mark.parametrize(
    ("message", "kind", "constraint"),
    [
        (DUPLICATE, asyncpg.UniqueViolationError, "people_email_key"),
        (CHECK, asyncpg.CheckViolationError, "people_age_min"),
    ],
)
def test_a_violation_in_a_shard_gets_its_code_and_constraint(
    message: str, kind: type[asyncpg.PostgresError], constraint: str
) -> None:
    error = coded(asyncpg.InternalServerError(message))
    assert type(error) is kind
    assert constraint_of(error) == constraint


def test_other_internal_errors_stay_what_they_are() -> None:
    error = asyncpg.InternalServerError("cache lookup failed for relation 1")
    assert coded(error) is error
    assert constraint_of(error) is None


async def test_postgresqls_own_name_of_a_constraint_holds(cluster: Cluster) -> None:
    connection = await asyncpg.connect(cluster.url())
    await connection.execute(
        "CREATE TEMPORARY TABLE t (a int CONSTRAINT a_1 UNIQUE); INSERT INTO t VALUES (1)"
    )
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await connection.execute("INSERT INTO t VALUES (1)")
    assert constraint_of(caught.value) == "a_1"
    await connection.close()


@pytest.mark.parametrize(
    ("message", "away"),
    [
        ("failure on connection marked as essential: 10.0.0.2:5432", True),
        ("connection to the remote node records@10.0.0.2:5432 failed", True),
        ("cache lookup failed for relation 1", False),
    ],
)
def test_a_node_that_is_away_is_postgresql_that_is_away(message: str, *, away: bool) -> None:
    assert is_away(asyncpg.InternalServerError(message)) is away
