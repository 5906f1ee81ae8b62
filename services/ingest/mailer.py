"""The mail about a finished import: text and HTML from templates, one stable Message-ID."""

from email.message import EmailMessage
from urllib.parse import urlsplit

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.ingest.domain import Reason, State
from services.ingest.runs.endings import MailNotice
from shared.process.mail import MailRefusedError, compose, send
from shared.process.settings import MailSettings

log = structlog.get_logger()


class Mailer:
    """Writes and sends the mails of imports."""

    def __init__(self, settings: MailSettings, *, public_url: str) -> None:
        self._settings = settings
        self._public_url = public_url.rstrip("/")
        self._templates = Environment(
            loader=PackageLoader("services.ingest", "templates"),
            autoescape=select_autoescape(enabled_extensions=("html.j2",)),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
        )

    def written(self, notice: MailNotice) -> EmailMessage:
        """The message; the same notice gives the same Message-ID."""
        import_url = f"{self._public_url}/api/imports/{notice.import_id}"
        values = {
            "notice": notice,
            "headline": headline(notice),
            "facts": facts(notice),
            "reasons": [reason_of(reason) for reason in notice.reasons],
            "import_url": import_url,
            "rejects_url": f"{import_url}/rejects",
        }
        host = urlsplit(self._public_url).hostname or "tabularium"
        return compose(
            self._settings,
            to=notice.to,
            subject=headline(notice),
            text=self._templates.get_template("finished.txt.j2").render(values),
            html=self._templates.get_template("finished.html.j2").render(values),
            message_id=f"<import-{notice.import_id}-{notice.lease}@{host}>",
        )

    async def send(self, notice: MailNotice) -> None:
        """Send the mail; raises MailServerDownError while it may work later.

        A recipient who is refused for good is given up, and logged.
        """
        try:
            await send(self._settings, self.written(notice))
        except MailRefusedError as exc:
            log.warning("mail_refused", import_id=notice.import_id, codes=exc.codes)


def headline(notice: MailNotice) -> str:
    """The mail's subject: what became of what."""
    what = notice.file_name or notice.table or f"import {notice.import_id}"
    where = f" into {notice.table}" if notice.table and notice.file_name else ""
    if notice.state is not State.SUCCEEDED:
        return f"Not imported: {what}{where}"
    if notice.dry_run:
        return f"Tried out: {what}{where}"
    if notice.rows_rejected:
        rows = "1 row" if notice.rows_rejected == 1 else f"{notice.rows_rejected} rows"
        return f"Imported: {what}{where}, {rows} refused"
    return f"Imported: {what}{where}"


def reason_of(reason: Reason) -> str:
    """One reason in sum: how many rows, where, why."""
    rows = "1 row" if reason.count == 1 else f"{reason.count:,} rows"
    where = "" if reason.column is None else f" in {reason.column}"
    return f"{rows}: {reason.code.value}{where}, first on line {reason.first_line}"


def facts(notice: MailNotice) -> list[tuple[str, str]]:
    """What there is to say, by its label."""
    loaded = f"{notice.rows_loaded}"
    if notice.rows_updated:
        loaded += f" ({notice.rows_inserted} new, {notice.rows_updated} updated)"
    result = notice.state.value + (" (dry run: nothing was changed)" if notice.dry_run else "")
    lines = [
        ("Import", f"{notice.import_id}"),
        ("File", notice.file_name),
        ("Table", notice.table),
        ("Result", result),
        ("Rows read", f"{notice.rows_read}"),
        ("Would load" if notice.dry_run else "Loaded", loaded),
        ("Refused", f"{notice.rows_rejected}"),
    ]
    return [(label, value) for label, value in lines if value is not None]
