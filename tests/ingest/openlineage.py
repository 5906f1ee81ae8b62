"""OpenLineage 2-0-2 as data: what its JSON Schemas demand of a RunEvent and of facets.

https://openlineage.io/spec/2-0-2/OpenLineage.json and https://openlineage.io/spec/facets
"""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
URI: Schema = {"type": "string", "format": "uri"}


def objects(required: str = "", **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required.split()}


def listed(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def by_name(value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": value}


def facet(required: str = "", **properties: Schema) -> Schema:
    return objects(f"_producer _schemaURL {required}", _producer=URI, _schemaURL=URI, **properties)


def facets(**known: Schema) -> Schema:
    """Those that are sent, each as its schema says; any other has the fields of all."""
    return {"type": "object", "properties": known, "additionalProperties": facet()}


def dataset(**more: Schema) -> Schema:
    return objects("namespace name", namespace=TEXT, name=TEXT, facets=DATASET_FACETS, **more)


METRIC = objects(
    nullCount=WHOLE, distinctCount=WHOLE, sum={"type": "number"}, count={"type": "number"}
)
DATASET_FACETS = facets(
    schema=facet(fields=listed(objects("name", name=TEXT, type=TEXT, description=TEXT))),
    columnLineage=facet(
        "fields",
        fields=by_name(
            objects(
                "inputFields",
                inputFields=listed(
                    objects("namespace name field", namespace=TEXT, name=TEXT, field=TEXT)
                ),
            )
        ),
    ),
)
INPUT_FACETS = facets(
    dataQualityMetrics=facet(
        "columnMetrics", rowCount=WHOLE, bytes=WHOLE, columnMetrics=by_name(METRIC)
    ),
    dataQualityAssertions=facet(
        "assertions",
        assertions=listed(
            objects("assertion success", assertion=TEXT, success={"type": "boolean"}, column=TEXT)
        ),
    ),
)
OUTPUT_FACETS = facets(outputStatistics=facet("rowCount", rowCount=WHOLE, size=WHOLE))
RUN_FACETS = facets(
    processing_engine=facet("version", version=TEXT, name=TEXT, openlineageAdapterVersion=TEXT),
    errorMessage=facet(
        "message programmingLanguage", message=TEXT, programmingLanguage=TEXT, stackTrace=TEXT
    ),
)
JOB_FACETS = facets(
    jobType=facet(
        "processingType integration", processingType=TEXT, integration=TEXT, jobType=TEXT
    ),
    sql=facet("query", query=TEXT),
)
RUN_EVENT: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **objects(
        "eventTime producer schemaURL run job",
        eventTime={"type": "string", "format": "date-time"},
        eventType={"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        producer=URI,
        schemaURL=URI,
        run=objects("runId", runId={"type": "string", "format": "uuid"}, facets=RUN_FACETS),
        job=objects("namespace name", namespace=TEXT, name=TEXT, facets=JOB_FACETS),
        inputs=listed(dataset(inputFacets=INPUT_FACETS)),
        outputs=listed(dataset(outputFacets=OUTPUT_FACETS)),
    ),
}

_VALIDATOR = jsonschema_rs.validator_for(RUN_EVENT, validate_formats=True)


def validate(event: Mapping[str, Any]) -> None:
    """Raises jsonschema_rs.ValidationError unless it is a RunEvent."""
    _VALIDATOR.validate(event)
