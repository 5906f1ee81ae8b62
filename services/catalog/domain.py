"""What the catalog is about, free of HTTP and SQL: pages of lists, edges, and a graph of them."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from shared.values.texts import is_storable

Item = TypeVar("Item")

Position = tuple[str, ...]
"""Where a list goes on: the sort key (names) of the last item that was shown."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is wanted: `limit` items from an offset, or after a position."""

    limit: int
    offset: int = 0
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[Item]):
    """A part of a list; the rest begins after `rest_after`, unless that is None.

    `total`, if counted, is how many items there are in all.
    """

    items: tuple[Item, ...]
    rest_after: Position | None
    total: int | None = None


def cut(
    rows: Sequence[Item],
    *,
    limit: int,
    key: Callable[[Item], Position],
    total: int | None = None,
) -> Slice[Item]:
    """A slice out of rows that were read one further than the limit."""
    items = tuple(rows[:limit])
    return Slice(items=items, rest_after=key(items[-1]) if len(rows) > limit else None, total=total)


def encode_position(position: Position) -> str:
    """A position as a cursor for a URL."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_position(cursor: str, *, parts: int) -> Position:
    """The position in a cursor; raises ValueError for anything that `encode_position` never made.

    `parts` is how many names the list's sort key has.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, ValueError) as exc:
        raise ValueError("no cursor of ours") from exc
    names = found if isinstance(found, list) else []
    if len(names) != parts or not all(_is_name(name) for name in names):
        raise ValueError("no cursor of this list")
    return tuple(names)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and is_storable(name)


ScanRow = tuple[int, str, str, str, str, int | None]
"""A line of a scan: its number, names of ETL, schema and table, columns as JSON, estimated rows."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a bulk merge or a scan did: edges that were new, and edges that were known."""

    inserted: int
    known: int
    merged_at: datetime


@dataclass(frozen=True, slots=True)
class TableKey:
    """A table's identity in the catalog."""

    schema: str
    name: str

    @property
    def label(self) -> str:
        """How pictures and the audit trail spell it."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """One arrow of the graph, from an ETL to a table."""

    etl: str
    table: TableKey
    dropped: bool
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Graph:
    """A part of the catalog as a picture shows it; `total` counts the edges left out too."""

    edges: tuple[GraphEdge, ...]
    total: int

    @property
    def truncated(self) -> bool:
        """Whether there are more edges than these."""
        return self.total > len(self.edges)

    @property
    def etls(self) -> tuple[str, ...]:
        """The ETLs, each once, in the order in which the edges name them."""
        return tuple(dict.fromkeys(edge.etl for edge in self.edges))

    @property
    def tables(self) -> tuple[TableKey, ...]:
        """The tables, each once, in the order in which the edges name them."""
        return tuple(dict.fromkeys(edge.table for edge in self.edges))

    @property
    def dropped(self) -> frozenset[TableKey]:
        """The tables that are gone."""
        return frozenset(edge.table for edge in self.edges if edge.dropped)
