"""What Citus changes of PostgreSQL's errors: codes that get lost, and names of shards.

Tests without Citus hold its messages; docs/scaling.md says what an operator does with it.
"""

import re

import asyncpg

VIOLATION = re.compile(
    r"(?P<what>duplicate key value violates unique constraint|violates check constraint)"
    r' "(?P<name>[^"]+)"'
)
SHARD = re.compile(r"_\d+$")
KINDS = {
    "duplicate key value violates unique constraint": asyncpg.UniqueViolationError,
    "violates check constraint": asyncpg.CheckViolationError,
}
"""A COPY into a shard on another node loses the code of what the node raised."""


def coded(error: asyncpg.PostgresError) -> asyncpg.PostgresError:
    """The error under the code that PostgreSQL has for its message; itself where it has none."""
    violation = VIOLATION.search(str(error))
    if violation is None:
        return error
    return KINDS[violation["what"]](str(error))


def constraint_of(error: asyncpg.PostgresError) -> str | None:
    """The constraint that an error is about; Citus names its shard's, and in the message alone."""
    name: str | None = error.constraint_name
    if name is None and (violation := VIOLATION.search(str(error))) is not None:
        name = SHARD.sub("", violation["name"])
    return name
