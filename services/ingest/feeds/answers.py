"""Feeds as they are answered."""

from dataclasses import MISSING, fields
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.ingest.answers import Rows
from services.ingest.connections.domain import SourceQuery, SourceTable
from services.ingest.domain.options import ImportOptions
from services.ingest.domain.run import State
from services.ingest.feeds.domain import Feed, Health, HttpFile, Origin, Push, S3File, SkippedTick
from services.ingest.feeds.headers import MASK
from services.ingest.feeds.schedule import EverySchedule, Schedule
from shared.contracts.base import AnswerModel


class PastRunAnswer(AnswerModel):
    """A run in a feed's history."""

    id: int
    state: State
    rows: Rows
    seconds: float | None
    unchanged: bool
    created_at: datetime


class SkippedAnswer(AnswerModel):
    """The last tick that came while a run was open."""

    at: datetime
    import_id: Annotated[int, Field(alias="import")]


class ExpectationsAnswer(AnswerModel):
    """What must hold."""

    every: str | None
    min_rows: int | None
    max_rejected: int | None
    max_rejected_share: float | None


class IncrementalAnswer(AnswerModel):
    """How far back each run reads; `inclusive`: rows at the cursor are read again (upsert)."""

    column: str
    start: str | None
    lookback: str | None
    inclusive: bool


class FeedAnswer(AnswerModel):
    """A feed: what it does, how it does, and its last 30 runs, newest first."""

    name: str
    table: str
    options: dict[str, Any]
    """Those that are not the default."""
    origin: Annotated[dict[str, Any], Field(alias="from")]
    schedule: dict[str, Any] | None
    incremental: IncrementalAnswer | None
    expect: ExpectationsAnswer
    etl_name: str | None
    email: str | None
    paused: bool
    health: Health
    last_import: int | None
    next_run_at: datetime | None
    cursor: str | None
    skipped: SkippedAnswer | None
    history: list[PastRunAnswer]
    owner: str
    created_at: datetime


def feed_answer(feed: Feed) -> FeedAnswer:
    """A feed as its owner sees it now."""
    settings = feed.settings
    incremental = settings.incremental
    return FeedAnswer.of(
        settings,
        **{"from": shown_origin(settings.origin)},
        name=feed.name,
        options=shown_options(settings.options),
        schedule=_shown_schedule(settings.schedule),
        incremental=(
            None
            if incremental is None
            else IncrementalAnswer.of(incremental, inclusive=settings.is_inclusive)
        ),
        health=feed.health,
        last_import=feed.history[0].id if feed.history else None,
        next_run_at=feed.next_run_at,
        cursor=feed.cursor,
        skipped=_shown_skipped(feed.skipped),
        history=[PastRunAnswer.of(run) for run in feed.history],
        owner=feed.owner.label,
        created_at=feed.created_at,
    )


def shown_options(options: ImportOptions) -> dict[str, Any]:
    """The options that are not the default, as they are sent."""
    shown: dict[str, Any] = {}
    for option in fields(options):
        value = getattr(options, option.name)
        default = option.default if option.default is not MISSING else {}
        if value != default:
            shown[option.name] = list(value) if isinstance(value, tuple) else value
    return shown


def shown_origin(origin: Origin) -> dict[str, Any]:
    """Where the rows come from, as it is sent."""
    if isinstance(origin, Push):
        return {"kind": origin.kind}
    if isinstance(origin, HttpFile):
        masked = dict.fromkeys(origin.header_names, MASK)
        return {"kind": origin.kind, "url": origin.url, "headers": masked}
    if isinstance(origin, S3File):
        return {"kind": origin.kind, "url": origin.url, "source_id": origin.source_id}
    selection = origin.selection
    if isinstance(selection, SourceQuery):
        return {"kind": origin.kind, "source_id": origin.source_id, "query": selection.sql}
    return {"kind": origin.kind, "source_id": origin.source_id, "table": _named(selection)}


def _named(table: SourceTable) -> str:
    parts = [part for part in (table.schema, table.name) if part is not None]
    if not table.exact:
        return ".".join(parts)
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _shown_skipped(tick: SkippedTick | None) -> SkippedAnswer | None:
    if tick is None:
        return None
    return SkippedAnswer.model_validate({"at": tick.at, "import": tick.import_id})


def _shown_schedule(schedule: Schedule | None) -> dict[str, Any] | None:
    if schedule is None:
        return None
    if isinstance(schedule, EverySchedule):
        return {"every_s": schedule.every_s}
    return {"cron": schedule.expression, "timezone": schedule.timezone}
