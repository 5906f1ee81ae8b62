"""The `tabularium` command: put together here, and where its errors become one line."""

import errno
import itertools
import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import stamina.instrumentation
import typer

from cli.commands import (
    account,
    accounts,
    altering,
    catalog,
    doctor,
    explaining,
    feeds,
    follow_ups,
    grants,
    importing,
    imports,
    keys,
    previewing,
    profiles,
    records,
    sources,
    tables,
    webhooks,
    writing,
)
from cli.errors import FAILED, CommandError, ProblemAnswerError
from shared import __version__

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a write to a full disk fails with."""

app = typer.Typer(
    name="tabularium",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="Make tables, load files and databases into them, and see which rows were refused and"
    " which ETL fed which table.",
    epilog="Begin with: tabularium login --url https://your.server\n\nExit codes: 0 done, 1 failed,"
    " 2 typed wrong, 3 an import rejected some rows, 130 Ctrl-C.",
)
app.command(epilog=account.LOGIN_EXAMPLES)(account.login)
app.command()(account.logout)
app.command()(account.whoami)
app.command()(doctor.doctor)
tables.app.command("alter", epilog=altering.EXAMPLES)(altering.alter)
app.add_typer(tables.app, name="tables")
app.command("import", epilog=importing.EXAMPLES + importing.EXIT_CODES)(importing.import_rows)
app.command(epilog=previewing.EXAMPLES)(previewing.preview)
app.add_typer(imports.app, name="imports")
app.command(epilog=imports.REJECTS_EXAMPLES)(imports.rejects)
app.command(epilog=follow_ups.CORRECT_EXAMPLES)(follow_ups.correct)
app.command(epilog=follow_ups.COMMIT_EXAMPLES)(follow_ups.commit)
app.command(epilog=imports.UNDO_EXAMPLES)(imports.undo)
app.command(epilog=profiles.REPORT_EXAMPLES)(profiles.report)
app.command(epilog=profiles.PROFILE_EXAMPLES)(profiles.profile)
app.command(epilog=records.RECORDS_EXAMPLES)(records.records)
app.command(epilog=records.EXPORT_EXAMPLES)(records.export)
app.command(epilog=writing.INSERT_EXAMPLES)(writing.insert)
app.command(epilog=writing.UPDATE_EXAMPLES)(writing.update)
app.command(epilog=writing.DELETE_EXAMPLES)(writing.delete)
app.add_typer(sources.app, name="sources")
app.add_typer(feeds.app, name="feed")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(grants.app, name="grants")
app.add_typer(accounts.users, name="users")
app.add_typer(accounts.clients, name="clients")
app.add_typer(keys.app, name="key")
app.add_typer(catalog.app, name="catalog")
app.command(epilog=explaining.LINEAGE_EXAMPLES)(explaining.lineage)
app.command(epilog=explaining.SEARCH_EXAMPLES)(explaining.search)


def _tell_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        sys.stdout.write(f"tabularium {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Only its options matter; `help` above is what people read."""


def main() -> None:
    """Run one command; exits 0, or with a code of `cli.errors` after one line on stderr."""
    stamina.instrumentation.set_on_retry_hooks([])
    try:
        app(prog_name="tabularium")
    except CommandError as exc:
        sys.stderr.write(f"{_complaint(exc)}\n")
        sys.exit(exc.exit_code)
    except OSError as exc:
        if exc.errno not in FULL:
            raise
        _unwritten(exc)
    finally:
        try:
            sys.stdout.flush()
        except OSError as exc:
            _unwritten(exc)


def _unwritten(error: OSError) -> NoReturn:
    """End where stdout takes no more: silently if its reader has gone, as behind `| head`."""
    # Python flushes once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        sys.stderr.write(f"tabularium: standard output cannot be written ({error.strerror})\n")
    sys.exit(FAILED)


def _complaint(error: CommandError) -> str:
    """One line: words for people, the problem document for scripts."""
    if not _for_programs(sys.argv):
        return f"tabularium: {error}"
    if isinstance(error, ProblemAnswerError):
        return json.dumps(error.problem.model_dump(exclude_none=True), ensure_ascii=False)
    return json.dumps({"title": "The command failed", "detail": str(error)}, ensure_ascii=False)


def _for_programs(words: Sequence[str]) -> bool:
    """Whether the result was asked for as JSON, however the command failed."""
    shapes = [word.removeprefix("--output=") for word in words if word.startswith("--output=")]
    shapes += [shape for word, shape in itertools.pairwise(words) if word == "--output"]
    return "--json" in words or not {"json", "ndjson"}.isdisjoint(shapes)


if __name__ == "__main__":
    main()
