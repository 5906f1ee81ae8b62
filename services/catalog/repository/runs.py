"""Runs of ETLs, and the facets of jobs, datasets and runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import EtlKey
from services.catalog.lineage import Run, RunDataset, RunState
from services.catalog.repository.lists import TABLE_KEY, key_of
from services.catalog.tables import EtlFacetRow, RunFacetRow, RunRow, TableFacetRow, TableRow
from shared.http.paging import Position, Slice, cut

RUN = (
    RunRow.id,
    RunRow.state,
    RunRow.started_at,
    RunRow.ended_at,
    RunRow.nominal_start,
    RunRow.nominal_end,
    RunRow.parent_run,
    RunRow.parent_namespace,
    RunRow.parent_name,
    RunRow.error,
    RunRow.producer,
)


async def page(
    connection: AsyncConnection,
    etl_id: int,
    *,
    state: RunState | None,
    limit: int,
    after: Position | None,
) -> Slice[Run]:
    """The runs of an ETL, the newest first; a position is the time of a first event and an id."""
    order = (RunRow.first_event, RunRow.id)
    statement = select(RunRow.first_event, *RUN).where(RunRow.etl_id == etl_id)
    if state is not None:
        statement = statement.where(RunRow.state == state.value)
    if after is not None:
        at, run_id = after
        statement = statement.where(tuple_(*order) < (datetime.fromisoformat(str(at)), run_id))
    ordered = statement.order_by(RunRow.first_event.desc(), RunRow.id.desc()).limit(limit + 1)
    rows = (await connection.execute(ordered)).all()
    runs = cut(rows, limit=limit, key=lambda row: (row[0].isoformat(), row[1]))
    return Slice(tuple(_run(row[1:]) for row in runs.items), runs.rest_after)


async def find(connection: AsyncConnection, etl_id: int, run_id: str) -> Run | None:
    """A run of an ETL."""
    statement = select(*RUN).where(RunRow.etl_id == etl_id, RunRow.id == run_id)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _run(row)


async def facets_of_run(
    connection: AsyncConnection, run_id: str
) -> tuple[Mapping[str, Any], Sequence[RunDataset]]:
    """The facets of a run, and those about each dataset that it read or wrote."""
    statement = (
        select(RunFacetRow.place, RunFacetRow.name, RunFacetRow.content, *TABLE_KEY)
        .outerjoin(TableRow, TableRow.id == RunFacetRow.table_id)
        .where(RunFacetRow.run_id == run_id, RunFacetRow.content.is_not(None))
        .order_by(RunFacetRow.place, *TABLE_KEY, RunFacetRow.name)
    )
    own: dict[str, Any] = {}
    datasets: dict[tuple[str, object], RunDataset] = {}
    for place, name, content, *key in await connection.execute(statement):
        if place == "run":
            own[name] = content
        elif key[1] is not None:
            table = key_of(key)
            dataset = datasets.setdefault((place, table), RunDataset(table, place))
            dataset.facets[name] = content
    return own, tuple(datasets.values())


async def facets_of_etl(connection: AsyncConnection, etl_id: int) -> Mapping[str, Any]:
    """The newest of a job's facets, by name."""
    statement = select(EtlFacetRow.name, EtlFacetRow.content).where(
        EtlFacetRow.etl_id == etl_id, EtlFacetRow.content.is_not(None)
    )
    rows = await connection.execute(statement.order_by(EtlFacetRow.name))
    return dict(rows.all())


async def facets_of_table(connection: AsyncConnection, table_id: int) -> Mapping[str, Any]:
    """The newest of a dataset's facets, by name."""
    statement = select(TableFacetRow.name, TableFacetRow.content).where(
        TableFacetRow.table_id == table_id, TableFacetRow.content.is_not(None)
    )
    rows = await connection.execute(statement.order_by(TableFacetRow.name))
    return dict(rows.all())


def _run(row: Sequence[Any]) -> Run:
    id_, state, started, ended, nominal_start, nominal_end, parent, namespace, name, *rest = row
    return Run(
        id_,
        RunState(state),
        started,
        ended,
        nominal_start,
        nominal_end,
        parent,
        None if name is None else EtlKey(name, namespace or None),
        *rest,
    )
