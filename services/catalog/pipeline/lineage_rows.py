"""A batch of events as the rows that it writes, each key once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.catalog.domain import EtlKey, TableKey
from services.catalog.lineage import (
    ENDS,
    Dataset,
    Event,
    EventType,
    Facet,
    InputColumn,
    RunReport,
    RunState,
)
from shared.contracts.catalog import fit_an_index

FACETS_OF_A_RUN = 1000

Row = tuple[Any, ...]
Pair = tuple[EtlKey, TableKey]
Ids = Mapping[EtlKey, int]
TableIds = Mapping[TableKey, int]
DatedFacet = tuple[str | None, datetime]
"""A facet's content, and the time of its event."""
ColumnPairs = dict[tuple[str, TableKey, str], InputColumn]
"""By output column, input and input column."""


class Naming(Protocol):
    """How a dataset is called here."""

    def key_of(self, namespace: str, name: str) -> TableKey:
        """The table that OpenLineage calls by a namespace and a name."""
        ...


@dataclass(slots=True)
class _Sighting:
    """When a pair was seen first and last, and the run that did it last."""

    first: datetime
    last: datetime
    run: str | None

    def add(self, at: datetime, run: str | None) -> None:
        self.first = min(self.first, at)
        if at >= self.last:
            self.last, self.run = at, run or self.run


@dataclass(slots=True)
class _RunRow:
    etl: EtlKey
    first: datetime
    last: datetime
    state: RunState = RunState.RUNNING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, run: RunReport, at: datetime, producer: str) -> None:
        self.first, self.last = min(self.first, at), max(self.last, at)
        if run.type is EventType.START:
            self.started_at = min(self.started_at or at, at)
        if (end := ENDS.get(run.type)) and (self.ended_at is None or at >= self.ended_at):
            self.state, self.ended_at = end, at
        parent = run.parent_job
        sent = {
            "nominal_start": run.nominal_start,
            "nominal_end": run.nominal_end,
            "parent_run": run.parent_run,
            "parent_namespace": None if parent is None else parent.namespace or "",
            "parent_name": None if parent is None else parent.name,
            "error": run.error,
            "producer": producer or None,
        }
        self.facts |= {name: value for name, value in sent.items() if value is not None}


class Gathered:
    """What events say, gathered by key; the newest wins."""

    def __init__(self, events: Iterable[Event], naming: Naming) -> None:
        self._naming = naming
        self._runs: dict[str, _RunRow] = {}
        self._outputs: dict[Pair, _Sighting] = {}
        self._inputs: dict[Pair, _Sighting] = {}
        self._etl_facets: dict[tuple[EtlKey, str], DatedFacet] = {}
        self._table_facets: dict[tuple[TableKey, str], DatedFacet] = {}
        self._run_facets: dict[
            tuple[str, str, TableKey | None, str], tuple[str | None, datetime]
        ] = {}
        self._columns: dict[
            Pair, tuple[datetime, dict[tuple[str, TableKey, str], InputColumn]]
        ] = {}
        self.etls: set[EtlKey] = set()
        self.tables: set[TableKey] = set()
        for event in events:
            self._add(event)

    def _add(self, event: Event) -> None:
        for dataset in event.datasets:
            self._table(dataset, event.at)
        if event.job is None:
            return
        job, run = event.job, event.run
        self.etls.add(job)
        for facet in event.job_facets:
            _newest(self._etl_facets, (job, facet.name), facet, event.at)
        if run is not None:
            row = self._runs.setdefault(run.id, _RunRow(job, event.at, event.at))
            row.add(run, event.at, event.producer)
            self._of_run(run.id, "run", None, run.facets, event.at)
        run_id = None if run is None else run.id
        for pairs, place, datasets in (
            (self._inputs, "input", event.inputs),
            (self._outputs, "output", event.outputs),
        ):
            for dataset in datasets:
                key = self._table(dataset, event.at)
                if key is None:
                    continue
                pairs.setdefault((job, key), _Sighting(event.at, event.at, run_id)).add(
                    event.at, run_id
                )
                if run_id is not None:
                    self._of_run(run_id, place, key, dataset.own, event.at)
        self._add_columns(job, event)

    def _add_columns(self, job: EtlKey, event: Event) -> None:
        for lineage in event.column_lineage:
            output = self._key(lineage.output.namespace, lineage.output.name)
            if output is None:
                continue
            known = self._columns.get((job, output))
            if known is not None and known[0] > event.at:
                continue
            pairs: ColumnPairs = {}
            for column, made_of in lineage.columns:
                key = self._key(made_of.namespace, made_of.dataset)
                if key is not None and fit_an_index(column, made_of.column):
                    self.tables.add(key)
                    pairs[column, key, made_of.column] = made_of
            self._columns[job, output] = event.at, pairs

    def _table(self, dataset: Dataset, at: datetime) -> TableKey | None:
        key = self._key(dataset.namespace, dataset.name)
        if key is None:
            return None
        self.tables.add(key)
        for facet in dataset.facets:
            _newest(self._table_facets, (key, facet.name), facet, at)
        return key

    def _key(self, namespace: str, name: str) -> TableKey | None:
        """None for a name that no index holds: nobody could look it up."""
        key = self._naming.key_of(namespace, name)
        fits = fit_an_index(key.schema or "", key.name, key.namespace or "")
        return key if fits and key.name else None

    def _of_run(
        self,
        run_id: str,
        place: str,
        table: TableKey | None,
        facets: Collection[Facet],
        at: datetime,
    ) -> None:
        for facet in facets:
            _newest(self._run_facets, (run_id, place, table, facet.name), facet, at)

    @property
    def run_ids(self) -> Collection[str]:
        """The runs, each once."""
        return self._runs.keys()

    def runs(self, etls: Ids) -> list[Row]:
        """Rows of `catalog.runs`."""
        names = (
            *("nominal_start", "nominal_end", "parent_run", "parent_namespace", "parent_name"),
            *("error", "producer"),
        )
        return [
            (
                run_id,
                etls[run.etl],
                run.state.value,
                run.started_at,
                run.ended_at,
                *(run.facts.get(name) for name in names),
                run.first,
                run.last,
            )
            for run_id, run in self._runs.items()
        ]

    def outputs(self, etls: Ids, tables: TableIds) -> list[Row]:
        """Rows of `catalog.edges`."""
        return _pairs(self._outputs, etls, tables)

    def inputs(self, etls: Ids, tables: TableIds) -> list[Row]:
        """Rows of `catalog.inputs`."""
        return _pairs(self._inputs, etls, tables)

    def etl_facets(self, etls: Ids) -> list[Row]:
        """Rows of `catalog.etl_facets`."""
        return [(etls[key], name, *dated) for (key, name), dated in self._etl_facets.items()]

    def table_facets(self, tables: TableIds) -> list[Row]:
        """Rows of `catalog.table_facets`."""
        rows = {(tables[key], name): dated for (key, name), dated in _by_time(self._table_facets)}
        return [(*key, *dated) for key, dated in rows.items()]

    def run_facets(self, tables: TableIds, *, kept: Mapping[str, int]) -> list[Row]:
        """Rows of `catalog.run_facets`; a run keeps a thousand, `kept` are there already."""
        left = {run_id: FACETS_OF_A_RUN - kept.get(run_id, 0) for run_id in self._runs}
        rows: dict[Row, DatedFacet] = {}
        for (run_id, place, table, name), dated in _by_time(self._run_facets):
            key = (run_id, place, 0 if table is None else tables[table], name)
            if key not in rows:
                left[run_id] -= 1
            if left[run_id] >= 0:
                rows[key] = dated
        return [(*key, *dated) for key, dated in rows.items()]

    def column_sets(self, etls: Ids, tables: TableIds) -> list[Row]:
        """ETL, output and time of each set of column lineage."""
        return [(etls[etl], tables[output], at) for (etl, output), (at, _) in self._columns.items()]

    def columns(self, etls: Ids, tables: TableIds) -> list[Row]:
        """Rows of `catalog.column_edges`."""
        rows: dict[Row, Row] = {}
        for (etl, output), (at, pairs) in self._columns.items():
            for (column, input_, input_column), made_of in pairs.items():
                key = (etls[etl], tables[output], column, tables[input_], input_column)
                rows[key] = (made_of.type, made_of.subtype, made_of.masking, at)
        return [(*key, *facts) for key, facts in rows.items()]


def _newest(dated: dict[Any, DatedFacet], key: Any, facet: Facet, at: datetime) -> None:
    known = dated.get(key)
    if known is None or at >= known[1]:
        dated[key] = facet.content, at


def _by_time(dated: dict[Any, DatedFacet]) -> list[Any]:
    # Two keys may be one table, when one is its former name: the newest comes last.
    return sorted(dated.items(), key=lambda item: item[1][1])


def _pairs(pairs: Mapping[Pair, _Sighting], etls: Ids, tables: TableIds) -> list[Row]:
    rows: dict[tuple[int, int], _Sighting] = {}
    for (etl, table), seen in pairs.items():
        known = rows.setdefault((etls[etl], tables[table]), seen)
        if known is not seen:
            known.first = min(known.first, seen.first)
            known.add(seen.last, seen.run)
    return [(*key, seen.first, seen.last, seen.run) for key, seen in rows.items()]
