"""Wire models of feeds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, EmailStr, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from services.ingest.connections.domain import SourceId
from services.ingest.connections.s3 import S3Object
from services.ingest.connections.web import checked_url
from services.ingest.feeds.answers import shown_options
from services.ingest.feeds.domain import (
    DatabaseRows,
    Expectations,
    FeedSettings,
    HttpFile,
    Incremental,
    Origin,
    Push,
    S3File,
)
from services.ingest.feeds.errors import FeedInvalidError
from services.ingest.feeds.schedule import CronSchedule, EverySchedule, Schedule
from services.ingest.routes.forms import checked
from services.ingest.routes.schemas import Name, OptionsForm, RowOptions
from services.ingest.routes.schemas_of_connections import Word, check_selection, selection_of
from services.ingest.uploads.domain import UploadId
from shared.contracts.base import LARGEST_BIGINT, Id, RequestModel, StorableText
from shared.errors import InvalidInputError
from shared.values.intervals import Interval, read_duration

FEED_EXAMPLES = {
    "push": {
        "summary": "A file that somebody sends, the same file twice loaded once",
        "value": {
            "name": "prices",
            "table": "Price",
            "options": {"mode": "upsert", "key": ["sku"]},
            "from": {"kind": "push"},
            "expect": {"every": "P1D", "min_rows": 100, "max_rejected_share": 0.01},
        },
    },
    "http": {
        "summary": "A file of a server, every night at two in Paris",
        "value": {
            "name": "rates",
            "table": "Rate",
            "options": {"mode": "replace"},
            "from": {
                "kind": "http",
                "url": "https://example.com/rates.csv",
                "headers": {"Authorization": "Bearer secret"},
            },
            "schedule": {"cron": "0 2 * * *", "timezone": "Europe/Paris"},
        },
    },
    "s3": {
        "summary": "A file in S3, every hour",
        "value": {
            "name": "stock",
            "table": "Stock",
            "options": {"mode": "replace"},
            "from": {"kind": "s3", "url": "s3://lake/exports/stock.csv.gz", "source_id": 8},
            "schedule": {"every_s": 3600},
        },
    },
    "database": {
        "summary": "The new rows of a table of another database, every ten minutes",
        "value": {
            "name": "orders",
            "table": "Orders",
            "options": {"mode": "upsert", "key": ["number"]},
            "from": {"kind": "database", "source_id": 7, "table": "sales.orders"},
            "schedule": {"every_s": 600},
            "incremental": {"column": "updated_at", "lookback": "PT5M"},
        },
    },
    "like": {
        "summary": "What an import did, done again every night",
        "value": {
            "name": "customers",
            "like": 42,
            "schedule": {"cron": "0 2 * * *", "timezone": "Europe/Paris"},
        },
    },
}


LONGEST = Interval(months=120, days=3_660, microseconds=3_660 * 86_400_000_000)


def _feed_name(name: str) -> str:
    if name in (".", "..") or name != name.strip():
        raise PydanticCustomError("invalid_name", "a name has no blanks at its ends, and no path")
    return name


def _duration(text: str) -> str:
    length = read_duration(text)
    # PostgreSQL adds it to a time, which must not leave its range; it knows no sign before the P.
    if length is None or not length.is_positive or text[0] != "P" or not length <= LONGEST:
        raise PydanticCustomError(
            "invalid_duration", "give an ISO 8601 duration of at most 10 years, as P1D or PT6H"
        )
    return text


FeedName = Annotated[Word, AfterValidator(_feed_name)]
Duration = Annotated[StorableText, AfterValidator(_duration)]
Count = Annotated[int, Field(ge=0, le=LARGEST_BIGINT)]


class FeedOptions(OptionsForm):
    """The options of an import; lists are arrays, `mapping` and `types` are objects."""


FILE_OPTIONS = frozenset(OptionsForm.model_fields) - frozenset(RowOptions.model_fields)
"""Options that say how a file is read, and say nothing of a database."""


class PushGiven(RequestModel):
    """Whoever has a file sends it to `/api/feeds/{name}/runs`."""

    kind: Literal["push"]

    def origin(self) -> Origin:
        """As the feed keeps it."""
        return Push()


class HttpGiven(RequestModel):
    """A file that is fetched by http or https."""

    kind: Literal["http"]
    url: StorableText
    headers: Annotated[
        dict[StorableText, StorableText],
        Field(description="Sent along, sealed at rest, answered as `***`."),
    ] = Field(default_factory=dict)

    def origin(self) -> Origin:
        """As the feed keeps it; raises UrlRefusedError."""
        checked_url(self.url, field_name="from.url")
        return HttpFile(self.url, tuple(sorted(self.headers)))


class S3Given(RequestModel):
    """A file in S3, read with the keys of a saved source of the kind `s3`."""

    kind: Literal["s3"]
    url: Annotated[
        StorableText, Field(description="`s3://bucket/key`; the key as it is, not encoded.")
    ]
    source_id: Id

    def origin(self) -> Origin:
        """As the feed keeps it; raises InvalidInputError."""
        S3Object.parsed(self.url, field_name="from.url")
        return S3File(self.url, SourceId(self.source_id))


class DatabaseGiven(RequestModel):
    """A table or query of a saved source."""

    kind: Literal["database"]
    source_id: Id
    table: Annotated[
        StorableText | None, Field(description="`schema.name`; quote a part to keep its case.")
    ] = None
    query: Annotated[
        StorableText | None,
        Field(min_length=1, max_length=100_000, description="In the source's dialect."),
    ] = None

    def origin(self) -> Origin:
        """As the feed keeps it; raises FeedInvalidError."""
        try:
            check_selection(self.table, self.query)
        except PydanticCustomError as exc:
            raise FeedInvalidError.of("from.table", exc.type, exc.message()) from exc
        return DatabaseRows(SourceId(self.source_id), selection_of(self.table, self.query))


OriginGiven = Annotated[
    PushGiven | HttpGiven | S3Given | DatabaseGiven, Field(discriminator="kind")
]


class ScheduleGiven(RequestModel):
    """`cron` with `timezone`, or `every_s`."""

    cron: Annotated[
        StorableText | None, Field(description="Minute, hour, day, month, day of the week.")
    ] = None
    timezone: Annotated[StorableText, Field(description="As in `Europe/Paris`.")] = "UTC"
    every_s: Annotated[int | None, Field(description="At least 60.")] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.cron is None) == (self.every_s is None):
            raise PydanticCustomError("cron_or_every_s", "send either `cron` or `every_s`")
        return self

    def schedule(self) -> Schedule:
        """The schedule; raises ScheduleError."""
        if self.every_s is not None:
            return EverySchedule.checked(self.every_s)
        assert self.cron is not None
        return CronSchedule.checked(self.cron, self.timezone)


class IncrementalGiven(RequestModel):
    """Only rows whose `column` is beyond the highest value that was loaded."""

    column: Annotated[StorableText, Field(min_length=1, max_length=255)]
    start: Annotated[
        StorableText | None, Field(description="Where the first run begins; null: every row.")
    ] = None
    lookback: Annotated[
        StorableText | None,
        Field(description="Each run begins so far before the cursor: a number, or `PT1H`."),
    ] = None

    def incremental(self) -> Incremental:
        """As the feed keeps it."""
        return Incremental(self.column, self.start, self.lookback)


class ExpectationsGiven(RequestModel):
    """What must hold, or nothing of a run is loaded; past `every` a feed is `late`."""

    every: Duration | None = None
    min_rows: Count | None = None
    max_rejected: Count | None = None
    max_rejected_share: Annotated[float | None, Field(ge=0, le=1)] = None

    def expectations(self) -> Expectations:
        """As the feed keeps them."""
        return Expectations(self.every, self.min_rows, self.max_rejected, self.max_rejected_share)


class FeedChange(RequestModel):
    """`PATCH /api/feeds/{name}`: what is not named stays.

    In `options` the named ones change, and null gives the default; everything else is replaced.
    """

    table: Annotated[StorableText | None, Field(min_length=1)] = None
    options: Annotated[
        dict[str, JsonValue], Field(description="As of an import; lists are arrays.")
    ] = Field(default_factory=dict)
    origin: Annotated[OriginGiven | None, Field(alias="from")] = None
    schedule: ScheduleGiven | None = None
    incremental: IncrementalGiven | None = None
    expect: ExpectationsGiven | None = None
    etl_name: Name | None = None
    email: EmailStr | None = None
    paused: bool = False

    @property
    def headers(self) -> Mapping[str, str] | None:
        """The headers that are sent along from now on; None: as before."""
        if self.origin is None:
            return None
        return self.origin.headers if isinstance(self.origin, HttpGiven) else {}

    def applied_to(self, settings: FeedSettings) -> FeedSettings:
        """The settings with these changes; raises InvalidInputError."""
        named: dict[str, Any] = {}
        for name in self.model_fields_set & {"table", "etl_name", "email", "paused"}:
            named[name] = getattr(self, name)
        if self.origin is not None:
            named["origin"] = self.origin.origin()
        for field, name in (("table", "table"), ("origin", "from")):
            if field in self.model_fields_set and getattr(self, field) is None:
                raise InvalidInputError.of(name, "missing", "this cannot be null")
        if "options" in self.model_fields_set:
            given = {**shown_options(settings.options), **self.options}
            kept = {name: value for name, value in given.items() if value is not None}
            named["options"] = checked(FeedOptions, kept, within="options.").options()
        if "schedule" in self.model_fields_set:
            named["schedule"] = None if self.schedule is None else self.schedule.schedule()
        if "incremental" in self.model_fields_set:
            given_column = self.incremental
            named["incremental"] = None if given_column is None else given_column.incremental()
        if "expect" in self.model_fields_set:
            given_expect = self.expect or ExpectationsGiven()
            named["expect"] = given_expect.expectations()
        changed = replace(settings, **named)
        refuse_file_options(changed)
        return changed


class NewFeed(FeedChange):
    """`POST /api/feeds`."""

    name: FeedName
    like: Annotated[
        Id | None,
        Field(description="An import: its table, options and source, where none are given."),
    ] = None

    def settings(self, like: FeedSettings | None) -> FeedSettings:
        """The settings, on top of those of an import; raises InvalidInputError."""
        if like is None:
            for field, name in (("table", "table"), ("origin", "from")):
                if field not in self.model_fields_set:
                    raise InvalidInputError.of(name, "missing", "send it, or an import in `like`")
        return self.applied_to(like or FeedSettings(table=""))


class FeedReset(RequestModel):
    """`POST /api/feeds/{name}/reset`."""

    cursor: Annotated[
        StorableText | None, Field(description="Where the feed goes on; null: at its start.")
    ]


class PushForm(RequestModel):
    """`POST /api/feeds/{name}/runs` with a file: the feed has the options."""


class PushUpload(RequestModel):
    """`POST /api/feeds/{name}/runs` as JSON."""

    upload: Annotated[
        UUID | None, Field(description="The id of a file that was uploaded before.")
    ] = None


def refuse_file_options(settings: FeedSettings) -> None:
    """Raise InvalidInputError for options that read files, of a feed that reads a database."""
    if not isinstance(settings.origin, DatabaseRows):
        return
    for name in shown_options(settings.options):
        if name in FILE_OPTIONS:
            raise FeedInvalidError.of(
                f"options.{name}", "files_only", "this says how a file is read; leave it out"
            )


def no_fields(fields: Mapping[str, str]) -> None:
    """Raise InvalidInputError for form fields beside the file: the feed has the options."""
    checked(PushForm, fields)


def upload_named(given: PushUpload) -> UploadId:
    """The upload in a JSON body; raises InvalidInputError where none is named."""
    if given.upload is None:
        raise InvalidInputError.of("file", "missing", "send a file, or name an `upload`")
    return UploadId(given.upload)
