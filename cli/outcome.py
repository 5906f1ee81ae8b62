"""Watching an import to its end, and saying what became of it."""

from pathlib import Path

from cli.answers import Import, Reject
from cli.client import Client, decoded
from cli.downloads import download
from cli.errors import FAILED, INTERRUPTED, REJECTED_ROWS, one_line
from cli.following import follow
from cli.screen import Screen, plural
from cli.session import Session

REJECTS_SHOWN = 20


def watched(here: Session, accepted: Import) -> Import:
    """Follow an import with a progress bar until it is over.

    Ctrl-C stops the watching only: the import is the server's by now. Raises SystemExit (130)
    after saying how to go on.
    """
    run = accepted
    try:
        with here.screen.progress(sending=False) as bar:
            task = bar.add_task(f"import {accepted.id}", total=accepted.bytes.total, rows="")
            for run in follow(here.client, accepted):
                bar.update(
                    task,
                    completed=run.bytes.read,
                    total=run.bytes.total,
                    rows=_rows_so_far(run),
                )
    except KeyboardInterrupt:
        here.screen.err.print(
            f"import {accepted.id} goes on without this command:"
            f" tabularium imports watch {accepted.id}, or tabularium imports cancel {accepted.id}"
        )
        raise SystemExit(INTERRUPTED) from None
    return run


def report(here: Session, over: Import, *, rejects_to: Path | None = None) -> int:
    """Say how an import ended, with its first rejects; returns the exit code."""
    if rejects_to is not None and over.rows.rejected:
        download(here, over.links.rejects, rejects_to)
    if here.screen.as_json:
        here.screen.raw(here.client.get(over.links.self).text)
    else:
        _tell(here.client, here.screen, over)
        if over.rows.rejected and over.kind != "undo":
            here.screen.say(
                f"all of them are in {rejects_to}"
                if rejects_to is not None
                else f"all of them: tabularium rejects {over.id} -o rejects.csv"
            )
            if over.state == "succeeded" and not over.dry_run:
                file = rejects_to or "rejects.csv"
                here.screen.say(f"corrected, they enter it: tabularium correct {over.id} {file}")
    if over.state != "succeeded":
        return FAILED
    if over.dry_run and not here.screen.as_json:
        here.screen.say(f"load just these rows: tabularium commit {over.id}")
    return REJECTED_ROWS if over.rows.rejected else 0


def _tell(client: Client, screen: Screen, over: Import) -> None:
    for column in over.inferred:
        of = f" ('{column.source}')" if column.source else ""
        screen.say(f"  {column.column}{of}: {column.type}, because {column.because}")
    screen.line(_sentence(over))
    if over.error is not None:
        screen.say(f"  {one_line(over.error)}")
    if over.reasons:
        screen.table(
            ["rows", "column", "code", "first line"],
            [[one.count, one.column, one.code, one.first_line] for one in over.reasons],
        )
    if over.rows.rejected and over.kind != "undo":
        page = decoded(client.get(over.links.errors, {"limit": REJECTS_SHOWN}))
        rejects = [Reject.model_validate(item) for item in page["items"][:REJECTS_SHOWN]]
        screen.table(
            ["line", "column", "code", "message", "value"],
            [[one.line, one.column, one.code, one.message, one.value] for one in rejects],
        )


def _sentence(over: Import) -> str:
    rows = over.rows
    if over.kind == "undo":
        return _sentence_of_undo(over)
    into = f" into {over.table}" if over.table else ""
    if over.state != "succeeded":
        return f"import {over.id}{into} {over.state}: nothing was loaded"
    if over.unchanged:
        return f"import {over.id}{into}: the file is the one that was loaded last; nothing was done"
    parts = [f"{plural(rows.inserted, 'row')} inserted"]
    if rows.updated:
        parts.append(f"{rows.updated:,} updated")
    parts.append(f"{rows.rejected:,} rejected" if rows.rejected else "none rejected")
    dry = "dry run, nothing was kept: " if over.dry_run else ""
    speed = f" ({over.rows_per_s:,} rows/s)" if over.rows_per_s else ""
    return f"import {over.id}{into}: {dry}{', '.join(parts)}{speed}"


def _sentence_of_undo(over: Import) -> str:
    rows, what = over.rows, f"undo of import {over.follows}"
    if over.state != "succeeded":
        return f"{what} {over.state}: nothing was changed"
    parts = [f"{plural(over.deleted, 'record')} removed"]
    if rows.loaded:
        parts.append(f"{rows.loaded:,} brought back")
    if rows.rejected:
        parts.append(f"{rows.rejected:,} left as they are")
    return f"{what}: {', '.join(parts)}"


def _rows_so_far(run: Import) -> str:
    if run.state == "queued":
        return "waiting"
    if not run.rows.read:  # a new table's types are inferred from the whole file before it loads
        return "reading"
    speed = f", {run.rows_per_s:,}/s" if run.rows_per_s else ""
    again = f", attempt {run.attempt}" if run.attempt > 1 else ""
    return f"{run.rows.read:,} rows, {run.rows.rejected:,} rejected{speed}{again}"
