"""Mails about imports, disabled webhooks and feeds: text and HTML, one stable Message-ID."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from urllib.parse import quote, urlsplit

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.ingest.domain.outcome import Reason
from services.ingest.domain.run import State
from services.ingest.feeds.notices import FeedNotice
from services.ingest.recipients import StopLinks
from services.ingest.runs.endings import MailNotice
from services.ingest.webhooks.domain import DisabledReason
from services.ingest.webhooks.notice import DisabledNotice
from shared.process.mail import MailRefusedError, compose, send
from shared.process.settings import MailSettings
from shared.values.intervals import read_duration

BECAUSE = {
    DisabledReason.GONE: "its receiver answered that it is gone (410)",
    DisabledReason.FAILING: "no message got through for five days",
    DisabledReason.OWNER: "the account, client or API key that registered it may do nothing any"
    " more",
    DisabledReason.BY_HAND: "somebody stopped it",
}

log = structlog.get_logger()


class Mailer:
    """Writes and sends the mails."""

    def __init__(self, settings: MailSettings, links: StopLinks, *, public_url: str) -> None:
        self._settings = settings
        self._links = links
        self._public_url = public_url.rstrip("/")
        self._templates = Environment(
            loader=PackageLoader("services.ingest", "templates"),
            autoescape=select_autoescape(enabled_extensions=("html.j2",)),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
        )

    def written(self, notices: Sequence[MailNotice], *, report: str | None = None) -> EmailMessage:
        """One message to one address; the same notices give the same Message-ID.

        Its subject is ours alone: what callers named stands in the body, with who asked for it.
        """
        newest = notices[-1]
        stop_url = None if newest.own else self._links.link(newest.to)
        values = {
            "headline": headline(notices),
            "results": [self._result(notice) for notice in notices],
            "stop_url": stop_url,
        }
        message = compose(
            self._settings,
            to=newest.to,
            subject=headline(notices),
            text=self._templates.get_template("finished.txt.j2").render(values),
            html=self._templates.get_template("finished.html.j2").render(values),
            message_id=self._message_id("import", newest.import_id, newest.lease),
        )
        if stop_url is not None:  # RFC 8058: mail programs show a button for it
            message["List-Unsubscribe"] = f"<{stop_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        if report is not None:
            name = f"import-{newest.import_id}-report.html"
            message.add_attachment(report, subtype="html", filename=name)
        return message

    async def send(self, notices: Sequence[MailNotice], *, report: str | None = None) -> None:
        """Send one mail about all of these; raises MailServerDownError while it may work later.

        `report` is the page about the newest of them, attached. A recipient who is refused for
        good is given up, and logged.
        """
        try:
            await send(self._settings, self.written(notices, report=report))
        except MailRefusedError as exc:
            log.warning("mail_refused", import_id=notices[-1].import_id, codes=exc.codes)

    async def send_disabled(self, notice: DisabledNotice) -> None:
        """Tell an owner that nothing is sent to their webhook any more; raises as `send`."""
        values = {
            "headline": f"Webhook {notice.webhook_id} is disabled",
            "notice": notice,
            "because": BECAUSE[notice.reason],
            "call": f"PATCH {self._public_url}/api/webhooks/{notice.webhook_id}",
            "page_url": f"{self._public_url}/docs",
        }
        since = notice.failing_since
        message = compose(
            self._settings,
            to=notice.to,
            subject=str(values["headline"]),
            text=self._templates.get_template("webhook.txt.j2").render(values),
            html=self._templates.get_template("webhook.html.j2").render(values),
            message_id=self._message_id(
                "webhook", notice.webhook_id, 0 if since is None else int(since.timestamp())
            ),
        )
        try:
            await send(self._settings, message)
        except MailRefusedError as exc:
            log.warning("mail_refused", webhook=notice.webhook_id, codes=exc.codes)

    async def send_feed(self, notice: FeedNotice) -> None:
        """Tell an owner that a feed is late, or well again; raises as `send`."""
        headline = f"Feed {notice.feed_id} is {'late' if notice.late else 'well again'}"
        values = {
            "notice": notice,
            "headline": headline,
            "every": _often(notice.every),
            "feed_url": f"{self._public_url}/api/feeds/{quote(notice.name, safe='')}",
            "page_url": f"{self._public_url}/app/feeds/{quote(notice.name, safe='')}",
        }
        message = compose(
            self._settings,
            to=notice.to,
            subject=headline,
            text=self._templates.get_template("feed.txt.j2").render(values),
            html=self._templates.get_template("feed.html.j2").render(values),
            message_id=self._message_id("feed", notice.feed_id, int(notice.at.timestamp())),
        )
        try:
            await send(self._settings, message)
        except MailRefusedError as exc:
            log.warning("mail_refused", feed=notice.name, codes=exc.codes)

    def _message_id(self, kind: str, number: int, part: int) -> str:
        host = urlsplit(self._public_url).hostname or "tabularium"
        return f"<{kind}-{number}-{part}@{host}>"

    def _result(self, notice: MailNotice) -> Mapping[str, object]:
        import_url = f"{self._public_url}/api/imports/{notice.import_id}"
        return {
            "notice": notice,
            "outcome": outcome(notice),
            "facts": facts(notice),
            "reasons": [reason_of(reason) for reason in notice.reasons],
            "import_url": import_url,
            "page_url": f"{self._public_url}/app/imports/{notice.import_id}",
            "rejects_url": f"{import_url}/rejects",
        }


def _often(every: str | None) -> str | None:
    """An ISO 8601 duration as it stands behind *every*: `hour`, `2 days`."""
    length = None if every is None else read_duration(every)
    if length is None:
        return every
    words = length.words()
    return words.removeprefix("1 ") if words.count(" ") == 1 else words


def headline(notices: Sequence[MailNotice]) -> str:
    """The mail's subject: what became of the import, or of how many."""
    if len(notices) == 1:
        return outcome(notices[0])
    failed = sum(notice.state is not State.SUCCEEDED for notice in notices)
    return f"{len(notices)} imports are done" + (f", {failed} of them failed" if failed else "")


def outcome(notice: MailNotice) -> str:
    """What became of one import."""
    what = f"Import {notice.import_id}"
    if notice.state is not State.SUCCEEDED:
        return f"{what} {notice.state.value}"
    if notice.dry_run:
        return f"{what} tried out"
    if notice.rows_rejected:
        rows = "1 row" if notice.rows_rejected == 1 else f"{notice.rows_rejected:,} rows"
        return f"{what} succeeded, {rows} refused"
    return f"{what} succeeded"


def reason_of(reason: Reason) -> str:
    """One reason in sum: how many rows, where, why."""
    rows = "1 row" if reason.count == 1 else f"{reason.count:,} rows"
    where = "" if reason.column is None else f" in {reason.column}"
    return f"{rows}: {reason.code.value}{where}, first on line {reason.first_line}"


def facts(notice: MailNotice) -> list[tuple[str, str]]:
    """What there is to say, by its label."""
    loaded = f"{notice.rows_loaded:,}"
    if notice.rows_updated:
        loaded += f" ({notice.rows_inserted:,} new, {notice.rows_updated:,} updated)"
    result = notice.state.value + (" (dry run: nothing was changed)" if notice.dry_run else "")
    lines = [
        ("Import", f"{notice.import_id}"),
        ("Asked for by", notice.by),
        ("File", notice.file_name),
        ("Table", notice.table),
        ("Result", result),
        ("Rows read", f"{notice.rows_read:,}"),
        ("Would load" if notice.dry_run else "Loaded", loaded),
        ("Refused", f"{notice.rows_rejected:,}"),
    ]
    return [(label, value) for label, value in lines if value is not None]
