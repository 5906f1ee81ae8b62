"""The rule for names of tables and columns: definitions are refused by it, imports fold by it."""

import unicodedata

POSTGRESQL_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
"""System columns of every table of PostgreSQL: no column of ours can have these names."""


def may_stand(character: str, *, first: bool) -> bool:
    """Whether a character may stand in a name: a letter; behind the first also digits and `_`.

    Marks are parts of letters in scripts that have no composed form, such as Devanagari.
    """
    category = unicodedata.category(character)
    if category.startswith("L"):
        return True
    return not first and (character == "_" or category in ("Nd", "Mn", "Mc"))
