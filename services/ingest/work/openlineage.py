"""An import as a RunEvent of OpenLineage 2-0-2; pure.

https://openlineage.io/docs/spec/object-model and, for the names of datasets,
https://openlineage.io/docs/spec/naming
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.connections.domain import SourceKind, SourceQuery, SourceTable
from services.ingest.domain.run import Run, State
from services.ingest.runs.reads import DatabaseRead
from shared import __version__
from shared.contracts.records import DATA_SCHEMA, TableContract

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
FILES = "file"
"""The namespace of files, as the specification names it."""
TYPES = {
    State.RUNNING: "START",
    State.SUCCEEDED: "COMPLETE",
    State.FAILED: "FAIL",
    State.CANCELLED: "ABORT",
}
SCHEMES = {SourceKind.POSTGRESQL: "postgres", SourceKind.ORACLE: "oracle"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What this installation is called in lineage."""

    producer: str
    """A URI."""
    job_namespace: str
    public_url: str
    namespace: str
    """Of our own database: `postgres://host:port`."""
    database: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an import at one moment."""

    run: Run
    at: datetime
    columns: Sequence[tuple[str, str]]
    """(of the source, of the table), once the rows are in."""
    read: DatabaseRead | None
    """What is read of another database."""
    contract: TableContract | None
    """The table, where it can be seen."""


def run_event(facts: Facts, names: Names) -> Json:
    """The event. A dry run has no output, for it writes to no table."""
    inputs = _inputs(facts, names)
    return {
        "eventType": TYPES[facts.run.state],
        "eventTime": facts.at.isoformat(),
        "run": {
            "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, _import_url(facts.run, names))),
            "facets": _run_facets(facts, names),
        },
        "job": {
            "namespace": names.job_namespace,
            "name": facts.run.feeding_etl or f"import.{facts.run.kind.value}",
            "facets": _job_facets(facts, names),
        },
        "inputs": inputs,
        "outputs": _outputs(facts, names, inputs),
        "producer": names.producer,
        "schemaURL": SPEC,
    }


def _import_url(run: Run, names: Names) -> str:
    return f"{names.public_url}/api/imports/{run.id}"


def _run_facets(facts: Facts, names: Names) -> Json:
    facets = {
        "processing_engine": _facet(
            names, "1-1-0/ProcessingEngineRunFacet", version=__version__, name="Tabularium"
        )
    }
    if facts.run.state is State.FAILED and facts.run.error is not None:
        facets["errorMessage"] = _facet(
            names,
            "1-0-0/ErrorMessageRunFacet",
            message=facts.run.error.detail,
            programmingLanguage="PYTHON",
        )
    return facets


def _job_facets(facts: Facts, names: Names) -> Json:
    facets = {
        "jobType": _facet(
            names,
            "2-0-3/JobTypeJobFacet",
            processingType="BATCH",
            integration="TABULARIUM",
            jobType="IMPORT",
        )
    }
    if facts.read is not None and isinstance(facts.read.selection, SourceQuery):
        facets["sql"] = _facet(names, "1-0-1/SQLJobFacet", query=facts.read.selection.sql)
    return facets


def _inputs(facts: Facts, names: Names) -> list[Json]:
    run, read = facts.run, facts.read
    if run.file_name is not None:
        dataset: Json = {"namespace": FILES, "name": run.file_name}
    elif read is not None and isinstance(read.selection, SourceTable):
        target, table = read.target, read.selection
        parts = (target.database or target.service_name or target.sid, table.schema, table.name)
        dataset = {
            "namespace": f"{SCHEMES[target.kind]}://{target.host}:{target.port}",
            "name": ".".join(part for part in parts if part is not None),
        }
    else:
        return []
    if run.state in (State.SUCCEEDED, State.FAILED):
        dataset["inputFacets"] = _quality(run, names)
    return [dataset]


def _quality(run: Run, names: Names) -> Json:
    facets = {
        "dataQualityMetrics": _facet(
            names,
            "1-0-2/DataQualityMetricsInputDatasetFacet",
            rowCount=run.rows.read,
            bytes=run.bytes_read,
            columnMetrics={},
        )
    }
    if run.reasons:
        facets["dataQualityAssertions"] = _facet(
            names,
            "1-0-1/DataQualityAssertionsDatasetFacet",
            assertions=[
                {"assertion": reason.code.value, "success": False}
                | ({} if reason.column is None else {"column": reason.column})
                for reason in run.reasons
            ],
        )
    return facets


def _outputs(facts: Facts, names: Names, inputs: Sequence[Json]) -> list[Json]:
    run = facts.run
    if run.table is None or run.options.dry_run:
        return []
    facets: Json = {}
    if facts.contract is not None:
        fields = [
            {"name": column.name, "type": column.type.spelled()}
            for column in facts.contract.columns
        ]
        facets["schema"] = _facet(names, "1-1-1/SchemaDatasetFacet", fields=fields)
    if facts.columns and inputs:
        (source,) = inputs
        facets["columnLineage"] = _facet(
            names,
            "1-2-0/ColumnLineageDatasetFacet",
            fields={
                target: {
                    "inputFields": [
                        {"namespace": source["namespace"], "name": source["name"], "field": field}
                    ]
                }
                for field, target in facts.columns
            },
        )
    dataset: Json = {
        "namespace": names.namespace,
        "name": f"{names.database}.{DATA_SCHEMA}.{run.table}",
        "facets": facets,
    }
    if run.state is State.SUCCEEDED:
        statistics = _facet(
            names, "1-0-2/OutputStatisticsOutputDatasetFacet", rowCount=run.rows.loaded
        )
        dataset["outputFacets"] = {"outputStatistics": statistics}
    return [dataset]


def _facet(names: Names, schema: str, **fields: object) -> Json:
    name = schema.partition("/")[2]
    return {
        "_producer": names.producer,
        "_schemaURL": f"{FACETS}/{schema}.json#/$defs/{name}",
        **fields,
    }
