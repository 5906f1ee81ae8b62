"""Runs of ETLs: those that OpenLineage reported, and imports, which are the runs of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.clients import IngestClient, RecordsClient
from services.catalog.domain import TableKey
from services.catalog.errors import RunUnknownError
from services.catalog.lineage import Run, RunDataset, RunState
from services.catalog.repository import runs
from services.catalog.service.namespaces import Namespaces
from services.catalog.service.naming import require_etl, require_table
from shared.contracts.auth import Caller
from shared.contracts.ingest import ImportSummary
from shared.contracts.records import DATA_SCHEMA
from shared.http.paging import Position, Slice

SHOWN_IMPORTS = 100
STATES = {"queued": RunState.RUNNING}
"""An import has a state more than a run."""


@dataclass(frozen=True, slots=True)
class RunDetails:
    """A run with its facets as they were sent, and the datasets that it read or wrote."""

    run: Run
    facets: Mapping[str, Any]
    datasets: Sequence[RunDataset]


@dataclass(frozen=True, slots=True)
class Runs:
    """Reads runs and facets."""

    engine: AsyncEngine
    namespaces: Namespaces
    ingest: IngestClient
    records: RecordsClient

    async def page(
        self,
        caller: Caller,
        etl: str,
        *,
        namespace: str | None,
        state: RunState | None,
        limit: int,
        after: Position | None,
    ) -> Slice[Run]:
        """The runs of an ETL, the newest first.

        The last imports of an ETL of ours are its runs, but for those into tables that the caller
        may not see. Raises as `require_etl`, PeerUnavailableError.
        """
        async with self.engine.connect() as connection:
            found = await require_etl(connection, etl, namespace=namespace)
            reported = await runs.page(connection, found.id, state=state, limit=limit, after=after)
        if reported.items or found.key.namespace is not None or after is not None:
            return reported
        imports = await self._imports(caller, etl)
        chosen = [run for run in imports if state is None or run.state is state]
        return Slice(tuple(chosen[:limit]), rest_after=None)

    async def one(
        self, caller: Caller, etl: str, run_id: str, *, namespace: str | None
    ) -> RunDetails:
        """A run with its facets, without those about tables that the caller may not see.

        Raises as `require_etl`, RunUnknownError, PeerUnavailableError.
        """
        async with self.engine.connect() as connection:
            found = await require_etl(connection, etl, namespace=namespace)
            run = await runs.find(connection, found.id, run_id)
            if run is None:
                raise RunUnknownError(f"the ETL {etl!r} has no run {run_id!r}")
            facets, datasets = await runs.facets_of_run(connection, run_id)
        hidden = await self.records.hidden_among([dataset.table for dataset in datasets], caller)
        return RunDetails(
            run, facets, [dataset for dataset in datasets if dataset.table not in hidden]
        )

    async def facets_of_etl(self, etl: str, *, namespace: str | None) -> Mapping[str, Any]:
        """The newest facets of a job, as they were sent; raises as `require_etl`."""
        async with self.engine.connect() as connection:
            found = await require_etl(connection, etl, namespace=namespace)
            return await runs.facets_of_etl(connection, found.id)

    async def facets_of_table(
        self, caller: Caller, schema: str | None, name: str, *, namespace: str | None
    ) -> Mapping[str, Any]:
        """The newest facets of a dataset; none of a table that the caller may not see.

        Raises as `require_table`, PeerUnavailableError.
        """
        stored = await self.namespaces.stored(namespace)
        async with self.engine.connect() as connection:
            table = await require_table(connection, schema, name, namespace=stored)
            facets = await runs.facets_of_table(connection, table.id)
        return {} if await self.records.hidden_among([table.key], caller) else facets

    async def _imports(self, caller: Caller, etl: str) -> Sequence[Run]:
        imports = await self.ingest.last_imports(etl=etl, limit=SHOWN_IMPORTS)
        tables = [TableKey(DATA_SCHEMA, run.table) for run in imports if run.table is not None]
        hidden = {key.name for key in await self.records.hidden_among(tables, caller)}
        return [_run_of(each) for each in imports if each.table not in hidden]


def _run_of(imported: ImportSummary) -> Run:
    return Run(
        id=f"import:{imported.id}",
        state=STATES.get(imported.state) or RunState(imported.state),
        started_at=imported.created_at,
        ended_at=imported.finished_at,
    )
