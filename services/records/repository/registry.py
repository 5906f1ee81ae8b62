"""The users' tables: what the registry adds, and what PostgreSQL's catalog knows."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.records.domain import (
    Column,
    ColumnMemory,
    ColumnSpec,
    Constraint,
    DefaultCall,
    Level,
    RuleConstraint,
    Table,
    TableId,
)
from services.records.repository.driver import Driver
from services.records.types.words import from_postgresql
from shared.contracts.auth import Caller, Sub
from shared.contracts.records import (
    DATA_SCHEMA,
    SYSTEM_COLUMNS,
    ColumnFound,
    ColumnName,
    TableName,
    TableOid,
)
from shared.store.identifiers import quoted
from shared.values.rules import NO_RULES, ColumnRules, OnDelete, Reference, RuleName

CHANNEL = "records_tables"
"""NOTIFY channel: the payload is the id of a table whose shape or grants changed."""

# `attislocal` and the like are left out: users' tables have no parents. An index method is
# compared by name, since the extension's oids differ from database to database.
DESCRIBED = """
SELECT t.id, c.oid::bigint AS oid, c.relname AS name, t.version, t.grants_version, t.owner_sub,
  t.owner_label, t.description, t.created_at,
  greatest(0, CASE WHEN s.n_live_tup > 0 THEN s.n_live_tup ELSE c.reltuples END)::bigint
    AS estimated_rows,
  (SELECT coalesce(json_agg(json_build_object(
      'name', a.attname, 'attnum', a.attnum, 'nullable', NOT a.attnotnull,
      'type', format_type(a.atttypid, a.atttypmod),
      'default', pg_get_expr(d.adbin, d.adrelid),
      'description', col_description(c.oid, a.attnum),
      'memory', (SELECT json_build_object('source', m.source, 'null_values', m.null_values)
                 FROM records.column_memories m
                 WHERE m.table_id = t.id AND m.column_name = a.attname),
      'searchable', EXISTS (
        SELECT 1 FROM pg_index i JOIN pg_opclass o ON o.oid = i.indclass[0]
        JOIN pg_depend p ON p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
          AND p.refclassid = 'pg_class'::regclass AND p.refobjid = c.oid
          AND p.refobjsubid = a.attnum
        WHERE i.indrelid = c.oid AND i.indnatts = 1 AND o.opcname = 'gin_trgm_ops')
    ) ORDER BY a.attnum), '[]')::text
   FROM pg_attribute a
   LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
  (SELECT coalesce(json_agg(json_build_object(
      'name', k.conname, 'kind', k.contype,
      'comment', obj_description(k.oid, 'pg_constraint'),
      'references', (SELECT json_build_object('table', f.relname, 'on_delete', k.confdeltype,
                       'column', (SELECT a.attname FROM pg_attribute a
                                  WHERE a.attrelid = k.confrelid AND a.attnum = k.confkey[1]))
                     FROM pg_class f WHERE f.oid = k.confrelid AND f.relnamespace = c.relnamespace),
      'columns', (SELECT json_agg(a.attname ORDER BY u.place)
                  FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
                  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum)
    ) ORDER BY k.contype, k.conname), '[]')::text
   FROM pg_constraint k
   WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c', 'f')
     AND NOT (k.contype IN ('p', 'u') AND k.condeferrable)) AS constraints,
  (SELECT json_object_agg(g.sub, g.level)::text FROM records.grants g WHERE g.table_id = t.id)
    AS grants
FROM records.tables t
JOIN pg_class c ON c.relname = t.name AND c.relkind = 'r' AND c.relnamespace = 'data'::regnamespace
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
"""
BY_NAME = DESCRIBED + " WHERE t.name = $1"
VISIBLE = (
    DESCRIBED  # noqa: S608 - our own words
    + """
WHERE ($1::boolean OR t.owner_sub = $2
       OR EXISTS (SELECT 1 FROM records.grants v WHERE v.table_id = t.id AND v.sub = $2))
  AND ($3::text IS NULL OR t.name > $3)
ORDER BY t.name LIMIT $4
"""
)
VISIBLE_AMONG = """
SELECT t.name FROM records.tables t
WHERE t.name = ANY($3::text[]) AND ($1::boolean OR t.owner_sub = $2
  OR EXISTS (SELECT 1 FROM records.grants v WHERE v.table_id = t.id AND v.sub = $2))
ORDER BY t.name
"""
VISIBLE_OF_LENGTH = """
SELECT t.name FROM records.tables t
WHERE abs(char_length(t.name) - char_length($3)) <= 3 AND ($1::boolean OR t.owner_sub = $2
  OR EXISTS (SELECT 1 FROM records.grants v WHERE v.table_id = t.id AND v.sub = $2))
ORDER BY lower(left(t.name, 1)) <> lower(left($3, 1)), t.name LIMIT 200
"""
"""Few enough to be compared one by one."""
COLUMNS_WITH_WORDS = """
SELECT t.name AS table_name, a.attname AS name, col_description(c.oid, a.attnum) AS description
FROM records.tables t
JOIN pg_class c ON c.relname = t.name AND c.relkind = 'r' AND c.relnamespace = 'data'::regnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE ($1::boolean OR t.owner_sub = $2
  OR EXISTS (SELECT 1 FROM records.grants v WHERE v.table_id = t.id AND v.sub = $2))
  AND a.attname <> ALL ($4::text[])
  AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS word WHERE strpos(lower(
    concat_ws(' ', a.attname, col_description(c.oid, a.attnum))), lower(word)) = 0)
ORDER BY t.name, a.attnum LIMIT $5
"""

_QUOTED_DEFAULT = re.compile(r"'((?:[^']|'')*)'::.+", re.DOTALL)
_NULL_DEFAULT = re.compile(r"NULL(::.+)?", re.DOTALL)
_UTC = r"\(now\(\) AT TIME ZONE 'UTC'::text\)"
_CALLS = {
    DefaultCall.NOW: re.compile(rf"now\(\)|CURRENT_TIMESTAMP|{_UTC}"),
    DefaultCall.TODAY: re.compile(rf"CURRENT_DATE|\({_UTC}\)::date"),
    DefaultCall.UUID: re.compile(r"gen_random_uuid\(\)"),
    DefaultCall.USER: re.compile(r"COALESCE\(NULLIF\(current_setting\('tabularium\.user'.+"),
}
ON_DELETE = {
    "a": OnDelete.RESTRICT,
    "r": OnDelete.RESTRICT,
    "c": OnDelete.CASCADE,
    "n": OnDelete.SET_NULL,
}
"""`pg_constraint.confdeltype`."""


async def find(driver: Driver, name: str) -> Table | None:
    """A table by its name, whoever asks; None when there is none."""
    row = await driver.fetchrow(BY_NAME, name)
    return _table(row) if row is not None else None


async def visible(
    driver: Driver, caller: Caller, *, after: str | None, limit: int
) -> Sequence[Table]:
    """The tables that a caller may see, by name, behind the name `after`."""
    rows = await driver.fetch(VISIBLE, caller.is_admin, caller.sub, after, limit)
    return [_table(row) for row in rows]


async def visible_among(
    driver: Driver, caller: Caller, names: Sequence[str]
) -> tuple[TableName, ...]:
    """Those of the names that stand for a table which the caller may see."""
    rows = await driver.fetch(VISIBLE_AMONG, caller.is_admin, caller.sub, names)
    return tuple(row["name"] for row in rows)


async def columns_with_words(
    driver: Driver, caller: Caller, words: Sequence[str], *, limit: int
) -> tuple[ColumnFound, ...]:
    """Columns of tables that the caller may see, with every word in name or description."""
    rows = await driver.fetch(
        COLUMNS_WITH_WORDS, caller.is_admin, caller.sub, words, list(SYSTEM_COLUMNS), limit
    )
    return tuple(
        ColumnFound(table=row["table_name"], name=row["name"], description=row["description"])
        for row in rows
    )


async def visible_of_length(driver: Driver, caller: Caller, name: str) -> tuple[TableName, ...]:
    """Tables that the caller may see, with names about as long; those that begin alike first."""
    rows = await driver.fetch(VISIBLE_OF_LENGTH, caller.is_admin, caller.sub, name)
    return tuple(row["name"] for row in rows)


async def register(driver: Driver, name: str, *, owner: Caller, description: str | None) -> TableId:
    """Enter a table that was just made; its owner is the caller.

    What is registered under its name was dropped by other means than the API, and goes.
    """
    await driver.execute("DELETE FROM records.tables WHERE name = $1", name)
    table_id: int = await driver.fetchval(
        "INSERT INTO records.tables (name, owner_sub, owner_label, description)"
        " VALUES ($1, $2, $3, $4) RETURNING id",
        name,
        owner.sub,
        owner.label,
        description,
    )
    return TableId(table_id)


async def remember(
    driver: Driver, table_id: TableId, columns: Iterable[Column | ColumnSpec]
) -> None:
    """Keep what columns remember of the file that they are made for."""
    for column in columns:
        if column.memory is not None:
            await driver.execute(
                "INSERT INTO records.column_memories (table_id, column_name, source, null_values)"
                " VALUES ($1, $2, $3, $4)",
                table_id,
                column.name,
                column.memory.source,
                list(column.memory.null_values),
            )


async def carry_memories(driver: Driver, table: Table, kept: Mapping[ColumnName, str]) -> None:
    """Let columns remember under their new names; those that are not `kept` are forgotten."""
    if all(kept.get(column.name) == column.name for column in table.columns if column.memory):
        return
    await driver.execute("DELETE FROM records.column_memories WHERE table_id = $1", table.id)
    columns = [
        replace(column, name=ColumnName(kept[column.name]))
        for column in table.columns
        if column.name in kept
    ]
    await remember(driver, table.id, columns)


async def change(driver: Driver, table: Table, *, name: str, description: str | None) -> None:
    """Raise the version of a table whose shape changed, and notify every process."""
    await driver.execute(
        "UPDATE records.tables SET version = version + 1, name = $2, description = $3"
        " WHERE id = $1",
        table.id,
        name,
        description,
    )
    await _notify(driver, table)


async def touch_referencing(driver: Driver, table: Table, name: str) -> None:
    """Raise the versions of tables that reference one which got this name: they say its name."""
    rows = await driver.fetch(
        "UPDATE records.tables t SET version = version + 1 FROM pg_constraint k"
        " JOIN pg_class c ON c.oid = k.conrelid"
        " WHERE k.contype = 'f' AND k.confrelid = $1::text::regclass AND t.name = c.relname"
        " AND t.id <> $2 RETURNING t.id",
        f"{DATA_SCHEMA}.{quoted(name)}",
        table.id,
    )
    for row in rows:
        await driver.execute("SELECT pg_notify($1, $2)", CHANNEL, str(row["id"]))


async def change_grants(driver: Driver, table: Table) -> None:
    """Raise the version of a table's grants, and notify every process."""
    await driver.execute(
        "UPDATE records.tables SET grants_version = grants_version + 1 WHERE id = $1", table.id
    )
    await _notify(driver, table)


async def forget(driver: Driver, table: Table) -> None:
    """Take a dropped table and its grants out of the registry."""
    await driver.execute("DELETE FROM records.tables WHERE id = $1", table.id)
    await _notify(driver, table)


async def clock(driver: Driver) -> datetime:
    """The database's time, which is one for all processes."""
    moment: datetime = await driver.fetchval("SELECT clock_timestamp()")
    return moment


async def has_trigrams(driver: Driver) -> bool:
    """Whether this database has the extension pg_trgm."""
    return bool(await driver.fetchval("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"))


async def _notify(driver: Driver, table: Table) -> None:
    await driver.execute("SELECT pg_notify($1, $2)", CHANNEL, str(table.id))


def _table(row: Mapping[str, Any]) -> Table:
    held = json.loads(row["constraints"])
    constraints = tuple(
        Constraint(
            name=each["name"],
            is_primary=each["kind"] == "p",
            columns=tuple(ColumnName(name) for name in each["columns"]),
        )
        for each in held
        if each["kind"] in "pu"
    )
    unique = {each.columns[0] for each in constraints if len(each.columns) == 1}
    rules = [rule for each in held if (rule := _rule(each)) is not None]
    return Table(
        id=TableId(row["id"]),
        oid=TableOid(row["oid"]),
        name=TableName(row["name"]),
        version=row["version"],
        grants_version=row["grants_version"],
        owner_sub=Sub(row["owner_sub"]),
        owner_label=row["owner_label"],
        description=row["description"],
        created_at=row["created_at"],
        estimated_rows=row["estimated_rows"],
        columns=tuple(_columns(json.loads(row["columns"]), unique, _rules_by_column(rules))),
        constraints=constraints,
        rule_constraints=tuple(constraint for constraint, _ in rules),
        grants={
            Sub(sub): Level[level.upper()]
            for sub, level in json.loads(row["grants"] or "{}").items()
        },
    )


def _columns(
    described: Iterable[Mapping[str, Any]],
    unique: set[ColumnName],
    rules: Mapping[ColumnName, ColumnRules],
) -> Iterable[Column]:
    for each in described:
        if each["name"] in SYSTEM_COLUMNS:
            continue
        name = ColumnName(each["name"])
        yield Column(
            name=name,
            attnum=each["attnum"],
            type=from_postgresql(each["type"]),
            nullable=each["nullable"],
            unique=name in unique,
            default=_default(each["default"]),
            description=each["description"],
            searchable=each["searchable"],
            rules=rules.get(name, NO_RULES),
            memory=_memory(each["memory"]),
        )


def _memory(kept: Mapping[str, Any] | None) -> ColumnMemory | None:
    return None if kept is None else ColumnMemory(kept["source"], tuple(kept["null_values"]))


def _rule(held: Mapping[str, Any]) -> tuple[RuleConstraint, object] | None:
    """A rule and its value out of a constraint; None for a constraint that others made."""
    if len(held["columns"] or ()) != 1 or held["kind"] not in "cf":
        return None
    column = ColumnName(held["columns"][0])
    if held["kind"] == "f":
        referenced = held["references"]
        if referenced is None or referenced["on_delete"] not in ON_DELETE:
            return None
        value: object = Reference(
            table=referenced["table"],
            column=referenced["column"],
            on_delete=ON_DELETE[referenced["on_delete"]],
        )
        return RuleConstraint(held["name"], column, RuleName.REFERENCES), value
    try:
        words = json.loads(held["comment"] or "")
        return RuleConstraint(held["name"], column, RuleName(words["rule"])), words["value"]
    except (ValueError, TypeError, KeyError):
        return None


def _rules_by_column(
    rules: Iterable[tuple[RuleConstraint, object]],
) -> Mapping[ColumnName, ColumnRules]:
    given: dict[ColumnName, dict[str, object]] = {}
    for constraint, value in rules:
        given.setdefault(constraint.column, {})[constraint.rule.value] = value
    return {column: ColumnRules.model_validate(each) for column, each in given.items()}


def _default(expression: str | None) -> str | DefaultCall | None:
    """A default as `pg_get_expr` writes it: a literal, a call of ours, or words of others."""
    if expression is None or _NULL_DEFAULT.fullmatch(expression):
        return None
    call = next((call for call, shape in _CALLS.items() if shape.fullmatch(expression)), None)
    return call or _literal(expression)


def _literal(expression: str) -> str:
    """The text of a default as `pg_get_expr` writes literals; other expressions as they are."""
    match = _QUOTED_DEFAULT.fullmatch(expression)
    return match[1].replace("''", "'") if match else expression
