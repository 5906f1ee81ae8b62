"""Runs, facets and what OpenLineage's clients are answered, on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from services.catalog.lineage import Run, RunState
from services.catalog.schemas.names import Cursor, NamedAnswer, Namespace, SchemaName, named
from services.catalog.service.runs import RunDetails
from shared.contracts.base import AnswerModel, RequestModel


class RunsQuery(RequestModel):
    """A page of the runs of an ETL."""

    namespace: Namespace = None
    state: RunState | None = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Runs per page.")] = 25
    cursor: Cursor = None


class RunAnswer(AnswerModel):
    """A run of an ETL; one that no event has ended is `running`."""

    id: str
    state: RunState
    started_at: datetime | None
    ended_at: datetime | None
    nominal_start: datetime | None
    nominal_end: datetime | None
    parent_run: str | None
    parent_job: str | None
    parent_namespace: str | None
    error: str | None
    producer: str | None

    @classmethod
    def of_run(cls, run: Run, **more: object) -> Self:
        """A run by its parent's key."""
        parent = run.parent_job
        return cls.of(
            run,
            parent_job=parent and parent.name,
            parent_namespace=parent and parent.namespace,
            **more,
        )


class RunDatasetAnswer(NamedAnswer):
    """A dataset that a run read (`input`) or wrote (`output`), and the facets about that."""

    schema_name: SchemaName
    name: str
    namespace: str | None
    place: Literal["input", "output"]
    facets: dict[str, Any]


class RunDetailsAnswer(RunAnswer):
    """A run with its facets as they were sent."""

    facets: dict[str, Any]
    datasets: tuple[RunDatasetAnswer, ...]

    @classmethod
    def of_details(cls, details: RunDetails) -> Self:
        """A run and its datasets by their keys."""
        return cls.of_run(
            details.run,
            facets=details.facets,
            datasets=tuple(
                RunDatasetAnswer.of(dataset, **named(dataset.table)) for dataset in details.datasets
            ),
        )


class FacetsAnswer(AnswerModel):
    """Facets by name, as OpenLineage's clients sent them."""

    facets: dict[str, Any]


class ReceivedAnswer(AnswerModel):
    """An event was received."""

    status: Literal["success"] = "success"


class FailedEvent(AnswerModel):
    """An event of a batch that cannot be read, by its place from 0."""

    index: int
    reason: str
    retriable: bool = False


class BatchSummary(AnswerModel):
    """How many events came, and what became of them."""

    received: int
    successful: int
    failed: int
    retriable: int = 0
    non_retriable: int


class BatchAnswer(AnswerModel):
    """What became of a batch, as OpenLineage's API spells it."""

    status: Literal["success", "partial_success", "failed"]
    summary: BatchSummary
    failed_events: list[FailedEvent]

    @classmethod
    def of_counts(cls, *, received: int, failed: list[FailedEvent]) -> Self:
        """From the number of events and those that failed."""
        successful = received - len(failed)
        partly: Literal["partial_success", "failed"] = "partial_success" if successful else "failed"
        return cls(
            status=partly if failed else "success",
            summary=BatchSummary(
                received=received,
                successful=successful,
                failed=len(failed),
                non_retriable=len(failed),
            ),
            failed_events=failed,
        )
