"""Events of OpenLineage (spec 2-0-2) as JSON, and what is understood of their facets.

Whatever a facet holds, an event is accepted: a facet that is not as its schema says is kept and not
understood. Only what has no time, or names neither run, job nor dataset, cannot be read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import to_json

from services.catalog.domain import EtlKey
from services.catalog.errors import EventUnreadableError
from services.catalog.lineage import (
    ColumnLineage,
    Dataset,
    Event,
    EventType,
    Facet,
    InputColumn,
    RunReport,
)
from shared.contracts.catalog import NAME_LIMIT
from shared.values.texts import scrubbed

FACET_BYTES = 64 * 1024
"""A larger facet is left out."""
ERROR_LIMIT = 10_000
COLUMN_PAIRS = 20_000
"""Of one output; more are left out."""
YEARS = range(1900, 9000)
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def _mapping(value: object) -> object:
    return {} if value is None else value


def _list(value: object) -> object:
    return [] if value is None else value


Facets = Annotated[dict[str, Any], BeforeValidator(_mapping)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)]
Namespace = Annotated[str, Field(max_length=NAME_LIMIT)]


def _checked(at: datetime) -> datetime:
    """The spec wants an offset; a client that sends none counts as UTC."""
    if at.year not in YEARS:
        raise ValueError(f"the year is beyond {YEARS[0]} to {YEARS[-1]}")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Dataset(_Model):
    namespace: Namespace
    name: Name
    facets: Facets = {}
    input_facets: Annotated[Facets, Field(alias="inputFacets")] = {}
    output_facets: Annotated[Facets, Field(alias="outputFacets")] = {}


class _Job(_Model):
    namespace: Namespace
    name: Name
    facets: Facets = {}


class _Run(_Model):
    id: Annotated[Name, Field(alias="runId")]
    facets: Facets = {}


Datasets = Annotated[tuple[_Dataset, ...], BeforeValidator(_list)]


class _Event(_Model):
    at: Annotated[datetime, Field(alias="eventTime"), AfterValidator(_checked)]
    type: Annotated[str | None, Field(alias="eventType")] = None
    producer: str = ""
    run: _Run | None = None
    job: _Job | None = None
    dataset: _Dataset | None = None
    inputs: Datasets = ()
    outputs: Datasets = ()

    @model_validator(mode="after")
    def _is_about_something(self) -> "_Event":
        if self.job is None and self.dataset is None:
            raise ValueError("an event names a job (with or without a run) or a dataset")
        return self


moment = TypeAdapter(datetime)


def read_event(body: bytes) -> Event:
    """An event; raises EventUnreadableError."""
    try:
        return _event(_Event.model_validate_json(body))
    except ValidationError as exc:
        raise EventUnreadableError(why(exc)) from exc


def refuse_unreadable(event: bytes | object) -> None:
    """Raise EventUnreadableError for what `read_event` could not read; as JSON, or parsed.

    Half the work: what facets hold is looked at once, when the event is applied.
    """
    try:
        if isinstance(event, bytes):
            _Event.model_validate_json(event)
        else:
            _Event.model_validate(event)
    except ValidationError as exc:
        raise EventUnreadableError(why(exc)) from exc


def why(exc: ValidationError) -> str:
    """The first thing that is wrong with an event, with the field."""
    first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def _event(sent: _Event) -> Event:
    run = None if sent.run is None or sent.job is None else _run(sent.run, sent.type)
    outputs = tuple(_dataset(each, each.output_facets) for each in sent.outputs)
    return Event(
        at=sent.at,
        producer=scrubbed(sent.producer)[:NAME_LIMIT],
        run=run,
        job=None if sent.job is None else _job(sent.job.namespace, sent.job.name),
        job_facets=() if sent.job is None else _facets(sent.job.facets),
        inputs=tuple(_dataset(each, each.input_facets) for each in sent.inputs),
        outputs=outputs,
        datasets=() if sent.dataset is None else (_dataset(sent.dataset, {}),),
        column_lineage=tuple(
            ColumnLineage(output, columns)
            for output, each in zip(outputs, sent.outputs, strict=True)
            if (columns := tuple(_column_lineage(each.facets.get("columnLineage"))))
        ),
    )


def _run(sent: _Run, type_: str | None) -> RunReport:
    parent, nominal = _object(sent.facets.get("parent")), _object(sent.facets.get("nominalTime"))
    parent_job, error = _object(parent.get("job")), _object(sent.facets.get("errorMessage"))
    namespace, name = _text(parent_job.get("namespace")), _text(parent_job.get("name"))
    message = _text(error.get("message"))
    return RunReport(
        id=scrubbed(sent.id),
        type=_type(type_),
        facets=_facets(sent.facets),
        nominal_start=_moment(nominal.get("nominalStartTime")),
        nominal_end=_moment(nominal.get("nominalEndTime")),
        parent_run=_text(_object(parent.get("run")).get("runId")),
        parent_job=None if name is None else _job(namespace or "", name),
        error=message[:ERROR_LIMIT] if message else None,
    )


def _type(word: str | None) -> EventType:
    try:
        return EventType((word or "").upper())
    except ValueError:
        return EventType.OTHER


def _job(namespace: str, name: str) -> EtlKey:
    return EtlKey(scrubbed(name), scrubbed(namespace) or None)


def _dataset(sent: _Dataset, own: Mapping[str, Any]) -> Dataset:
    return Dataset(
        scrubbed(sent.namespace), scrubbed(sent.name), _facets(sent.facets), _facets(own)
    )


def _facets(sent: Mapping[str, Any]) -> tuple[Facet, ...]:
    facets = []
    for name, content in sent.items():
        if not name or len(name) > NAME_LIMIT:
            continue
        if isinstance(content, dict) and content.get("_deleted") is True:
            facets.append(Facet(scrubbed(name), None))
            continue
        text = to_json(content, inf_nan_mode="strings").decode()  # jsonb holds no NaN either
        if "\\u0000" in text:  # PostgreSQL's jsonb holds no NUL
            text = _NUL.sub(r"\1\\ufffd", text)
        if len(text.encode()) <= FACET_BYTES:
            facets.append(Facet(scrubbed(name), text))
    return tuple(facets)


def _column_lineage(facet: object) -> Iterator[tuple[str, InputColumn]]:
    """Pairs of an output column and what it is made of."""
    sent, left = _object(facet), COLUMN_PAIRS
    by_column: list[tuple[str, object]] = [
        (name, _object(made).get("inputFields"))
        for name, made in _object(sent.get("fields")).items()
    ]
    by_column.append(("", sent.get("dataset")))
    for column, inputs in by_column:
        for made_of in _objects(inputs):
            dataset, field = _text(made_of.get("name")), _text(made_of.get("field"))
            if dataset is None or field is None or len(column) > NAME_LIMIT or left == 0:
                continue
            left -= 1
            change = next(_objects(made_of.get("transformations")), {})
            yield (
                scrubbed(column),
                InputColumn(
                    namespace=_text(made_of.get("namespace")) or "",
                    dataset=dataset,
                    column=field,
                    type=_text(change.get("type")),
                    subtype=_text(change.get("subtype")),
                    masking=change.get("masking") is True,
                ),
            )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    items: Iterable[object] = value if isinstance(value, list) else ()
    return (item for item in items if isinstance(item, dict))


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not value or len(value) > ERROR_LIMIT * 10:
        return None
    return scrubbed(value)


def _moment(value: object) -> datetime | None:
    try:
        return _checked(moment.validate_python(value)) if isinstance(value, str) else None
    except ValueError:  # ValidationError is one
        return None
