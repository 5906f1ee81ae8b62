"""The types of columns."""

from reference.markdown import code, page, table
from shared.values.types import (
    FALSE_WORDS,
    INTEGER_BITS,
    LENGTH_LIMIT,
    NUMERIC_SCALE_LIMIT,
    NUMERIC_WHOLE_LIMIT,
    PRECISION_LIMIT,
    TRUE_WORDS,
    TypeName,
)


def types_page() -> str:
    """Each type with its bounds, the ways of writing it, and its face in JSON."""
    rows = [[code(name.value), *WORDS[name]] for name in TypeName]
    return page(
        "Column types",
        "In a body of `POST /api/tables` and in the verb face types are written in any case;"
        " `INT`, `DECIMAL`, `FLOAT`, `JSONB` and PostgreSQL's other spellings are understood."
        " Answers spell them as here. A value that is not written as its type is refused with"
        " `type_mismatch`, one beyond the bounds with `out_of_range`.",
        table(["type", "bounds", "written as", "in JSON"], rows),
        "How other programs write numbers and dates is an option of the import: see"
        " [files](../files.md).",
    )


def _whole(name: TypeName) -> tuple[str, str, str]:
    bits = INTEGER_BITS[name]
    bounds = f"-{2**bits:,} to {2**bits - 1:,}"
    return bounds, "`42`, `-7`, `+7`, and `3.0`: decimals of nothing but zeros", "number"


def _words(words: frozenset[str]) -> str:
    return "/".join(sorted(words, key=lambda word: (-len(word), word)))


FLOAT = ("`1.5`, `1e-7`, `NaN`, `Infinity`, `-Infinity`", "number; `NaN` and its like as strings")
STAMP = (
    "`2026-01-31T13:05:07.25`, also with a space for `T`, without seconds, basic ISO"
    " (`20260131T130507`), a date alone (midnight), `infinity`"
)
DIGITS = (
    f"`NUMERIC(p,s)` with p up to {PRECISION_LIMIT}; without them {NUMERIC_WHOLE_LIMIT:,}"
    f" digits before the point and {NUMERIC_SCALE_LIMIT:,} after it. Never rounded"
)
WORDS: dict[TypeName, tuple[str, str, str]] = {
    TypeName.TEXT: ("", "as it is", "string"),
    TypeName.VARCHAR: (f"up to n characters, n from 1 to {LENGTH_LIMIT:,}", "as it is", "string"),
    TypeName.CHAR: (f"up to n characters, n from 1 to {LENGTH_LIMIT:,}", "as it is", "string"),
    **{name: _whole(name) for name in INTEGER_BITS},
    TypeName.NUMERIC: (
        DIGITS,
        "`1.50`, `-2e3`",
        "number with all its digits; string with `numbers=text`",
    ),
    TypeName.REAL: ("single precision", *FLOAT),
    TypeName.DOUBLE: ("double precision", *FLOAT),
    TypeName.BOOLEAN: (
        "",
        f"{_words(TRUE_WORDS)} or {_words(FALSE_WORDS)}, in any case",
        "`true`, `false`",
    ),
    TypeName.DATE: ("years 1 to 9999", "`2026-01-31`, or as `date_format` says", "string"),
    TypeName.TIME: ("", "`13:05:07.25`", "string"),
    TypeName.TIMESTAMP: ("years 1 to 9999", f"{STAMP}; a zone is refused", "string"),
    TypeName.TIMESTAMPTZ: (
        "years 1 to 9999 in UTC",
        f"{STAMP}; with `Z`, ` UTC`, `+01`, `+0100` or `+01:00`, else it is UTC",
        "string",
    ),
    TypeName.INTERVAL: ("", "`1 day 02:00:00`, `P1DT2H`", "string"),
    TypeName.UUID: ("", "`6f1c0d0e-93a1-4a53-9a0d-2b7a52f3d1c4`", "string"),
    TypeName.JSON: ("", "JSON text", "as it is"),
    TypeName.BYTEA: ("", "`\\x0aff`: hexadecimal", "string of the same form"),
}
