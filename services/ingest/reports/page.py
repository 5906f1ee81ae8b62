"""The report of an import: one HTML page that needs nothing else, and runs nothing.

Whatever people named is escaped by Jinja. Its only style is ours, allowed by its digest; a policy
that allows nothing else stands in the page itself, because it is also a file in a mail.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from markupsafe import Markup

from services.ingest.domain.options import ImportKind, Mode
from services.ingest.domain.outcome import FormatFound, KeptReject, Reason
from services.ingest.domain.run import Run, State
from services.ingest.reports.picture import templates
from services.ingest.reports.shapes import (
    CHART_HEIGHT_PX,
    CHART_PX,
    percent,
    rows_text,
    shapes,
)
from shared.contracts.ingest import Profile
from shared.contracts.records import DATA_SCHEMA
from shared.values.labels import clean

STYLE = templates.get_template("report.css").render()
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
SHOWN_REASONS = 20
SHOWN_COLUMNS = 200
LABELS = {"null_values": "null values", "record_path": "records in", "header_line": "header line"}


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a report says. `profile` is None where there is none, or its reader may not see it.

    `source` is the database that was read, and what of it.
    """

    run: Run
    rejects: Sequence[KeptReject] = ()
    profile: Profile | None = None
    source: tuple[str, ...] = ()
    followed_by: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _Count:
    label: str
    number: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class _ReasonBar:
    text: str
    detail: str
    width: float


def report(findings: Findings, *, base_url: str) -> str:
    """The page; `base_url` is where the API is reached, empty for links within its origin."""
    run, profile = findings.run, findings.profile
    url = f"{base_url}/api/imports/{run.id}"
    return templates.get_template(
        "report.html.j2"
    ).render(
        policy=POLICY,
        style=Markup(STYLE),  # noqa: S704 - a file of ours
        headline=headline(run),
        subtitle=_subtitle(run),
        failure=None if run.error is None else clean(run.error.detail),
        code=None if run.error is None else run.error.code,
        counts=list(_counts(run)),
        reasons=list(_reasons(run.reasons[:SHOWN_REASONS])),
        rejects=[_cleaned(each) for each in findings.rejects],
        rejects_url=f"{url}/rejects" if run.rejects_path is not None else None,
        way=list(_way(findings)),
        relations=list(_relations(findings)),
        format=list(_format(run.format)) if run.format is not None else [],
        inferred=[_cleaned(each) for each in run.inferred],
        profiled=None if profile is None else _profiled(profile),
        columns=[] if profile is None else list(islice(shapes(profile), SHOWN_COLUMNS)),
        chart_px=CHART_PX,
        chart_height_px=CHART_HEIGHT_PX,
        page_url=f"{base_url}/app/imports/{run.id}",
        import_url=url,
    )


def headline(run: Run) -> str:
    """What became of the import, in one line."""
    what = f"Import {run.id}"
    if run.state is not State.SUCCEEDED:
        return f"{what} {'is ' if not run.state.is_final else ''}{run.state.value}"
    done = "tried out" if run.options.dry_run else "succeeded"
    refused = run.rows.rejected
    return f"{what} {done}" + (f", {rows_text(refused)} refused" if refused else "")


def _subtitle(run: Run) -> str:
    parts = [f"asked for by {clean(run.caller.label)}"]
    if run.finished_at is not None:
        seconds = run.elapsed_s(run.finished_at)
        parts.append(f"finished {_moment(run.finished_at)} after {seconds:,.1f} s")
        if run.rows.read and seconds:
            parts.append(f"{run.rows_per_s(run.finished_at):,} rows a second")
    if run.options.dry_run:
        parts.append("a dry run: nothing was changed")
    return " · ".join(parts)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _counts(run: Run) -> Iterator[_Count]:
    rows = run.rows
    yield _Count("read", f"{rows.read:,}")
    yield _Count("would be loaded" if run.options.dry_run else "loaded", f"{rows.loaded:,}")
    if rows.updated:
        yield _Count("of them new", f"{rows.inserted:,}")
        yield _Count("of them updates", f"{rows.updated:,}")
    yield _Count("refused", f"{rows.rejected:,}", is_bad=rows.rejected > 0)
    for label, count in (
        ("corrected", rows.corrected),
        ("skipped", rows.skipped),
        ("deleted", rows.deleted),
    ):
        if count:
            yield _Count(label, f"{count:,}")


def _reasons(reasons: Sequence[Reason]) -> Iterator[_ReasonBar]:
    most = max((reason.count for reason in reasons), default=1)
    for reason in reasons:
        where = "" if reason.column is None else f" in {clean(reason.column)}"
        yield _ReasonBar(
            text=f"{reason.code.value}{where}",
            detail=f"{rows_text(reason.count)}, first on line {reason.first_line:,}",
            width=round(100 * reason.count / most, 2),
        )


def _way(findings: Findings) -> Iterator[str]:
    """From the source by the ETL into the table; an undo goes the other way."""
    run = findings.run
    yield from (clean(step) for step in findings.source)
    if not findings.source and run.file_name is not None:
        yield clean(run.file_name)
    if run.feed is not None:
        yield f"feed {clean(run.feed.name)}"
    if run.feeding_etl is not None and run.feeding_etl != run.file_name:
        yield f"ETL {clean(run.feeding_etl)}"
    if run.table is not None:
        how = "" if run.options.mode is Mode.APPEND else f" ({run.options.mode.value})"
        yield f"{DATA_SCHEMA}.{clean(run.table)}{how}"


def _relations(findings: Findings) -> Iterator[str]:
    run = findings.run
    if run.follows is not None:
        verb = {ImportKind.CORRECTION: "corrects", ImportKind.UNDO: "takes back"}.get(run.kind)
        yield f"It {verb or 'loads the rows that were tried out by'} import {run.follows}."
    if findings.followed_by:
        numbers = ", ".join(map(str, findings.followed_by))
        yield f"Imports that follow it: {numbers}."
    if run.undone is not None:
        yield f"It was taken back by import {run.undone.import_id}."


def _format(found: FormatFound) -> Iterator[tuple[str, str]]:
    """What was found, by its label; what says nothing is left out."""
    for field in fields(found):
        value: Any = getattr(found, field.name)
        if value in (None, (), 0) or value is False:
            continue
        text = " | ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        shown = {"\t": "tab", " ": "space"}.get(text, text)
        yield LABELS.get(field.name, field.name.replace("_", " ")), clean(shown)


def _profiled(profile: Profile) -> str:
    said = f"Of the {rows_text(profile.rows)} that were in order."
    if profile.sampled_rows is not None:
        share = percent(profile.sampled_rows / profile.rows)
        said += (
            " Nulls, extremes and means are those of all rows; charts are drawn from"
            f" {rows_text(profile.sampled_rows)} at random ({share})."
        )
    if len(profile.columns) > SHOWN_COLUMNS:
        said += f" The first {SHOWN_COLUMNS} of {len(profile.columns):,} columns."
    if any(column.distinct_approximate for column in profile.columns):
        said += " ≈ marks an estimate."
    return said


def _cleaned(thing: object) -> dict[str, object]:
    """The attributes of a dataclass, its texts without control characters."""
    values = {field.name: getattr(thing, field.name) for field in fields(thing)}  # type: ignore[arg-type]
    return {
        name: _lines(value) if isinstance(value, str) else value for name, value in values.items()
    }


def _lines(text: str) -> str:
    """A text whose line ends are shown as such."""
    return "\n".join(clean(line) for line in text.split("\n"))
