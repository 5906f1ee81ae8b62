"""Mails about finished imports: their words, how many there are, how they are stopped."""

import re

import httpx2
import pytest

from services.ingest.domain.outcome import Reason, RejectCode
from services.ingest.domain.run import State
from services.ingest.mailer import Mailer, headline
from services.ingest.recipients import StopLinks
from services.ingest.runs.endings import MailNotice
from shared.process.settings import MailSettings
from tests.ingest.driving import Ingest
from tests.support.profile import only_in_full
from tests.support.waiting import until

NOTICE = MailNotice(
    to="ann@example.com",
    import_id=1,
    lease=1,
    state=State.SUCCEEDED,
    table="people",
    file_name="people.csv",
    dry_run=False,
    rows_read=2000,
    rows_loaded=2000,
    rows_rejected=0,
    rows_inserted=2000,
    rows_updated=0,
    has_rejects=False,
    reason=None,
)


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({}, "Import 1 succeeded"),
        ({"rows_rejected": 1}, "Import 1 succeeded, 1 row refused"),
        ({"rows_rejected": 2}, "Import 1 succeeded, 2 rows refused"),
        ({"dry_run": True}, "Import 1 tried out"),
        ({"state": State.FAILED}, "Import 1 failed"),
    ],
)
def test_the_subject_says_what_became_of_what(changes: dict[str, object], subject: str) -> None:
    notice = NOTICE.model_copy(
        update={"file_name": "Click\r\nBcc: all@example.com", "table": "buy now", **changes}
    )
    assert headline([notice]) == subject


def test_the_subject_of_several_counts_them() -> None:
    failed = NOTICE.model_copy(update={"import_id": 2, "state": State.FAILED})
    assert headline([NOTICE, failed, NOTICE]) == "3 imports are done, 1 of them failed"
    assert headline([NOTICE, NOTICE]) == "2 imports are done"


def test_a_link_opens_for_its_own_address_alone() -> None:
    links = StopLinks("secret", public_url="https://data.example.com/")
    link = links.link("Ann@Example.com")
    assert link.startswith("https://data.example.com/api/mail/stop?token=")
    token = link.partition("=")[2]
    assert links.address(token) == "ann@example.com"
    assert StopLinks("other", public_url="").address(token) is None
    for broken in ("", "x", token[:-2], token[2:], "ä", "a" * 999):
        assert links.address(broken) is None


async def wait_for_mails(ingest: Ingest, state: str, count: int) -> None:
    await ingest.until("SELECT count(*) = $2 FROM ingest.imports WHERE mail = $1", state, count)


@only_in_full
async def test_another_persons_address_gets_few_mails_and_all_results(ingest: Ingest) -> None:
    """Twelve imports, three mails an hour: three mails, then one with the other nine."""
    async with ingest.working(mails_per_hour=3, gather_s=0.2):
        imports = [
            await ingest.submit(b"name,age\nAnn,%d\n" % age, email="bob@example.com")
            for age in range(12)
        ]
        for import_ in imports:
            await ingest.finished(import_)
        await wait_for_mails(ingest, "sent", 3)
        await wait_for_mails(ingest, "gathered", 9)
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
        assert len(ingest.mailbox.to("bob@example.com")) == 3
        gathered = [item for item in imports if (await ingest.look(item))["mail"] == "gathered"]
        assert len(gathered) == 9
        # An hour later.
        await ingest.owner.execute(
            "UPDATE ingest.mail_addresses SET sent = ARRAY(SELECT at - interval '61 minutes'"
            " FROM unnest(sent) AS at)"
        )
        await wait_for_mails(ingest, "sent", 12)
    mails = ingest.mailbox.to("bob@example.com")
    assert len(mails) == 4
    assert mails[-1]["Subject"] == "9 imports are done"
    text = mails[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for import_ in gathered:
        assert f"/api/imports/{import_['id']}\r" in text.replace("\n", "\r")
    assert "Asked for by ann@example.com" in text
    assert await ingest.owner.fetchval("SELECT count(*) FROM ingest.gathered_mails") == 0


async def test_the_next_mail_brings_what_was_gathered(ingest: Ingest) -> None:
    async with ingest.working(mails_per_hour=1, gather_s=600):
        for age in range(3):
            import_ = await ingest.submit(b"name,age\nAnn,%d\n" % age, email="bob@example.com")
            await ingest.finished(import_)
        await wait_for_mails(ingest, "gathered", 2)
        await ingest.owner.execute("UPDATE ingest.mail_addresses SET sent = '{}'")
        await ingest.finished(await ingest.submit(b"name,age\nAnn,9\n", email="bob@example.com"))
        await wait_for_mails(ingest, "sent", 4)
    assert [mail["Subject"].split()[0] for mail in ingest.mailbox.to("bob@example.com")] == [
        "Import", "3",
    ]  # fmt: skip


async def test_ones_own_address_is_not_counted(ingest: Ingest) -> None:
    async with ingest.working(mails_per_hour=1):
        for age in range(3):
            import_ = await ingest.submit(b"name,age\nAnn,%d\n" % age, email="Ann@Example.com")
            await ingest.finished(import_)
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
        await until("three mails", lambda: len(ingest.mailbox.received) == 3)
    assert all("List-Unsubscribe" not in mail for mail in ingest.mailbox.received)
    assert await ingest.owner.fetchval("SELECT count(*) FROM ingest.mail_addresses") == 0


@only_in_full
async def test_a_mail_server_that_is_down_costs_no_turn(ingest: Ingest) -> None:
    await ingest.mailbox.stop()
    try:
        async with ingest.working(mails_per_hour=1):
            import_ = await ingest.submit(b"name,age\nAnn,1\n", email="bob@example.com")
            await ingest.finished(import_)
            await ingest.until("SELECT attempts >= 1 AND last_error IS NOT NULL FROM ingest.outbox")
            assert (await ingest.look(import_))["mail"] is None
            await ingest.mailbox.start()
            await wait_for_mails(ingest, "sent", 1)
    finally:
        await ingest.mailbox.stop()
        await ingest.mailbox.start()
    assert len(ingest.mailbox.to("bob@example.com")) == 1


async def test_who_reads_the_mails_can_stop_them(ingest: Ingest) -> None:
    async with ingest.working():
        first = await ingest.submit(b"name,age\nAnn,1\n", email="bob@example.com")
        await ingest.finished(first)
        mail = await ingest.mailbox.wait_for_one_to("bob@example.com")
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = httpx2.URL(mail["List-Unsubscribe"].strip("<>"))
        path = f"{link.path}?{link.query.decode()}"
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert path in text.replace("\n", "")
        # A scanner that follows the link changes nothing.
        page = await ingest.http.get(path)
        assert (page.status_code, "Stop these mails" in page.text) == (200, True)
        assert await ingest.owner.fetchval("SELECT stopped_at IS NULL FROM ingest.mail_addresses")
        stopped = await ingest.http.post(path, content=b"List-Unsubscribe=One-Click")
        assert (stopped.status_code, "are stopped" in stopped.text) == (200, True)
        second = await ingest.submit(b"name,age\nAnn,2\n", email="Bob@example.com")
        await ingest.finished(second)
        await wait_for_mails(ingest, "stopped", 1)
        resumed = await ingest.http.post(path, content=b"resume=true")
        assert "Stop these mails" in resumed.text
        await ingest.finished(await ingest.submit(b"name,age\nAnn,3\n", email="bob@example.com"))
        await wait_for_mails(ingest, "sent", 2)
    assert (await ingest.look(second))["mail"] == "stopped"
    assert len(ingest.mailbox.received) == 2
    refused = await ingest.http.get("/api/mail/stop?token=abc")
    assert refused.status_code == 404


def parts_of(*notices: MailNotice) -> list[str]:
    settings = MailSettings(smtp_host="127.0.0.1", mail_from="us@example.com")
    public_url = "https://data.example.com/"
    links = StopLinks("secret", public_url=public_url)
    mail = Mailer(settings, links, public_url=public_url).written(notices)
    bodies = (mail.get_body((kind,)) for kind in ("plain", "html"))
    return [body.get_content() for body in bodies if body is not None]


def test_both_bodies_say_the_reasons_in_sum_and_lead_to_the_page() -> None:
    reasons = (
        Reason("born", RejectCode.OUT_OF_RANGE, 1200, 3),
        Reason(None, RejectCode.TOO_MANY_FIELDS, 10, 5012),
    )
    update = {"rows_rejected": 1210, "has_rejects": True, "reasons": reasons}
    text, html = parts_of(NOTICE.model_copy(update=update), NOTICE)
    assert "1,200 rows: out_of_range in born, first on line 3" in text
    assert re.search(r"1,200</td>.*out_of_range</td>.*born</td>.*>3</td>", html)
    assert re.search(r">10</td>.*too_many_fields</td>.*></td>.*5,012</td>", html)
    for body in (text, html):
        assert "https://data.example.com/app/imports/1" in body
        assert "https://data.example.com/api/imports/1/rejects" in body
    assert html.count("See and correct the refused rows") == 1
    assert html.count("Open the import") == 1


def test_what_others_named_is_text_in_the_html() -> None:
    bad = "<b>&\"'</b>"
    update = {"table": bad, "file_name": bad, "reason": bad, "own": True}
    _, html = parts_of(NOTICE.model_copy(update=update))
    assert "<b>" not in html
    assert html.count("&lt;b&gt;") == 3
