"""The types of columns, the families they fall into, and the limits that PostgreSQL sets them."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class TypeName(StrEnum):
    """Column types, spelled as answers spell them; lengths and precisions stand apart."""

    TEXT = "TEXT"
    VARCHAR = "VARCHAR"
    CHAR = "CHAR"
    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    NUMERIC = "NUMERIC"
    REAL = "REAL"
    DOUBLE = "DOUBLE PRECISION"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    TIMESTAMPTZ = "TIMESTAMPTZ"
    INTERVAL = "INTERVAL"
    UUID = "UUID"
    JSON = "JSON"
    BYTEA = "BYTEA"


class ColumnType(BaseModel):
    """A column's type: `length` for VARCHAR and CHAR, `precision` and `scale` for NUMERIC."""

    model_config = ConfigDict(frozen=True)

    name: TypeName
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def spelled(self) -> str:
        """The type as answers spell it, for example `NUMERIC(10,2)`; also valid PostgreSQL.

        JSON is `jsonb` in PostgreSQL: `shared.values.names.ddl_name`.
        """
        if self.length is not None:
            return f"{self.name.value}({self.length})"
        if self.precision is not None:
            return f"{self.name.value}({self.precision},{self.scale or 0})"
        return self.name.value


INTEGER_BITS = {TypeName.SMALLINT: 15, TypeName.INTEGER: 31, TypeName.BIGINT: 63}
"""Bits of a whole number beside its sign: it lies between -2**bits and 2**bits - 1."""

TEXT_TYPES = frozenset({TypeName.TEXT, TypeName.VARCHAR, TypeName.CHAR})
"""Types whose values keep their white space, and in which an empty text is a value."""
INTEGER_TYPES = frozenset(INTEGER_BITS)
FLOAT_TYPES = frozenset({TypeName.REAL, TypeName.DOUBLE})
NUMBER_TYPES = INTEGER_TYPES | FLOAT_TYPES | {TypeName.NUMERIC}
TIMESTAMP_TYPES = frozenset({TypeName.TIMESTAMP, TypeName.TIMESTAMPTZ})

LENGTH_LIMIT = 10_485_760
"""The longest VARCHAR(n) and CHAR(n): PostgreSQL's MaxAttrSize."""
PRECISION_LIMIT = 38
"""The most digits of a NUMERIC(p,s) of ours: as many as a 128-bit integer holds."""
NUMERIC_WHOLE_LIMIT = 131_072
"""Digits before the point that PostgreSQL keeps in an unbounded NUMERIC, and after it."""
NUMERIC_SCALE_LIMIT = 16_383

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "off", "0"})
BOOLEAN_WORDS = TRUE_WORDS | FALSE_WORDS


def is_widening(old: ColumnType, new: ColumnType) -> bool:
    """Whether every text of the old type is one of the new, so that nothing need be rewritten."""
    if old.name not in (TypeName.TEXT, TypeName.VARCHAR):
        return False
    if new.name is TypeName.TEXT:
        return True
    return (
        new.name is TypeName.VARCHAR
        and old.length is not None
        and new.length is not None
        and old.length <= new.length
    )
