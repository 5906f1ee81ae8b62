"""What a database says of the columns that are read from it; the same for every kind of source."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.values.types import ColumnType, TypeName


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of a table or query in another database.

    `type` is the one that a table made for it gets; `spelled` is the source's own spelling.
    """

    name: str
    type: ColumnType
    spelled: str
    nullable: bool = True


def plain(name: TypeName) -> ColumnType:
    """A type without length or precision."""
    return ColumnType(name=name)


TargetTypes = Mapping[str, ColumnType]
"""Of each source column that goes into the table: the type of the column it goes into."""
