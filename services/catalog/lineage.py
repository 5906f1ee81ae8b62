"""Runs and lineage in the terms of OpenLineage, free of HTTP and SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.catalog.domain import EtlKey, TableKey


class EventType(StrEnum):
    """What an event says of its run; `job` and `dataset` events have none."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"


class RunState(StrEnum):
    """How far a run is, in the words that imports have."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS = {
    EventType.COMPLETE: RunState.SUCCEEDED,
    EventType.FAIL: RunState.FAILED,
    EventType.ABORT: RunState.CANCELLED,
}
"""The events that end a run."""


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet as it was sent, as JSON; content None: the event deletes it."""

    name: str
    content: str | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset of an event; `own` facets are about this run's reading or writing of it."""

    namespace: str
    name: str
    facets: tuple[Facet, ...] = ()
    own: tuple[Facet, ...] = ()


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A column that another one is made of."""

    namespace: str
    dataset: str
    column: str
    type: str | None
    subtype: str | None
    masking: bool


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """What each column of an output is made of.

    The empty name stands for the whole output: what decides which rows there are.
    """

    output: Dataset
    columns: tuple[tuple[str, InputColumn], ...]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one event says of a run."""

    id: str
    type: EventType
    facets: tuple[Facet, ...]
    nominal_start: datetime | None = None
    nominal_end: datetime | None = None
    parent_run: str | None = None
    parent_job: EtlKey | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event; without a run it is about a job, without a job about a dataset.

    `datasets` hold the datasets of a dataset event.
    """

    at: datetime
    producer: str
    run: RunReport | None
    job: EtlKey | None
    job_facets: tuple[Facet, ...]
    inputs: tuple[Dataset, ...]
    outputs: tuple[Dataset, ...]
    datasets: tuple[Dataset, ...]
    column_lineage: tuple[ColumnLineage, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A run of an ETL."""

    id: str
    state: RunState
    started_at: datetime | None
    ended_at: datetime | None
    nominal_start: datetime | None = None
    nominal_end: datetime | None = None
    parent_run: str | None = None
    parent_job: EtlKey | None = None
    error: str | None = None
    producer: str | None = None


@dataclass(frozen=True, slots=True)
class RunDataset:
    """A dataset that a run read or wrote, with the facets about that."""

    table: TableKey
    place: str
    facets: dict[str, object] = field(default_factory=dict)


class Direction(StrEnum):
    """Which way a walk goes from where it starts."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class ColumnKey:
    """A column of a table; the empty name stands for which rows the table has."""

    table: TableKey
    column: str

    @property
    def label(self) -> str:
        """The column's name in pictures: `schema.table.column`."""
        return f"{self.table.label}.{self.column}" if self.column else f"{self.table.label} (rows)"

    @property
    def namespace(self) -> str | None:
        """The table's namespace."""
        return self.table.namespace


Node = EtlKey | TableKey | ColumnKey


@dataclass(frozen=True, slots=True)
class Arrow:
    """Data goes from `source` to `target`: a table and an ETL, or two columns.

    `etl` is the ETL that makes a column out of another one, with the kind of change.
    """

    source: Node
    target: Node
    last_seen: datetime
    etl: EtlKey | None = None
    type: str | None = None
    subtype: str | None = None
    masking: bool = False


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """What a walk came by.

    `distances` count the steps from `root` to each node, less than 0 upstream; `gone` holds tables
    that were dropped or have vanished. `truncated`: there is more than the limit allowed.
    """

    root: Node
    distances: Mapping[Node, int]
    arrows: tuple[Arrow, ...]
    gone: frozenset[Node]
    truncated: bool
