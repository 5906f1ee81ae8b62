"""Runs and lineage in the terms of OpenLineage, free of HTTP and SQL."""

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
