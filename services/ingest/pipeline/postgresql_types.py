"""PostgreSQL's types as `format_type` spells them: which of ours they are, and how they pass."""

import re

from services.ingest.pipeline.described import plain
from services.ingest.pipeline.target import postgresql_name
from shared.contracts.records import ColumnType, TypeName

MOST_DIGITS = 38
_WITH_LENGTH = re.compile(r"(character varying|character)\((\d+)\)")
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_SAME = {
    "text": TypeName.TEXT,
    "smallint": TypeName.SMALLINT,
    "integer": TypeName.INTEGER,
    "bigint": TypeName.BIGINT,
    "numeric": TypeName.NUMERIC,
    "real": TypeName.REAL,
    "double precision": TypeName.DOUBLE,
    "boolean": TypeName.BOOLEAN,
    "date": TypeName.DATE,
    "time without time zone": TypeName.TIME,
    "timestamp without time zone": TypeName.TIMESTAMP,
    "timestamp with time zone": TypeName.TIMESTAMPTZ,
    "interval": TypeName.INTERVAL,
    "uuid": TypeName.UUID,
    "json": TypeName.JSON,
    "jsonb": TypeName.JSON,
    "bytea": TypeName.BYTEA,
}
_SHORT = {  # what a driver calls a query's types
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "varchar": "character varying",
    "bpchar": "character",
}
_TEXTS = re.compile(r"text|name|character varying(?:\(\d+\))?")
_WHOLE = {"smallint": 0, "integer": 1, "bigint": 2}


def column_type(spelled: str) -> ColumnType:
    """The type of a column made for it; what has no counterpart is TEXT."""
    spelled = _SHORT.get(spelled, spelled)
    if found := _WITH_LENGTH.fullmatch(spelled):
        varying = found[1] == "character varying"
        return ColumnType(name=TypeName.VARCHAR if varying else TypeName.CHAR, length=int(found[2]))
    if found := _NUMERIC.fullmatch(spelled):
        precision, scale = int(found[1]), int(found[2])
        if 0 <= scale <= precision <= MOST_DIGITS:
            return ColumnType(name=TypeName.NUMERIC, precision=precision, scale=scale)
        return plain(TypeName.NUMERIC)
    # A timestamp(3) is a timestamp; nothing of it gets lost.
    base = re.sub(r"\(\d+\)", "", spelled)
    return plain(_SAME.get(base, TypeName.TEXT))


def copied_as(spelled: str, target: ColumnType) -> str | None:
    """The cast with which a column's binary form is that of the target's type; None: there is none.

    Only casts that lose nothing: what may fail is left to the reading of cells, which gives
    reasons row by row.
    """
    spelled = _SHORT.get(spelled, spelled)
    wanted = postgresql_name(target)
    if spelled == wanted:
        return ""
    source, room = _WITH_LENGTH.fullmatch(spelled), _WITH_LENGTH.fullmatch(wanted)
    if source and room and source[1] == room[1] == "character varying":
        return "" if int(source[2]) <= int(room[2]) else None
    whole = spelled in _WHOLE
    lossless = (
        (wanted == "text" and _TEXTS.fullmatch(spelled))
        or (wanted == "jsonb" and spelled == "json")
        or (wanted == "numeric" and (whole or _NUMERIC.fullmatch(spelled)))
        or (whole and _WHOLE.get(wanted, -1) > _WHOLE[spelled])
        or (spelled, wanted) == ("real", "double precision")
    )
    return f"::{wanted}" if lossless else None
