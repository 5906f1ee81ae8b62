"""Mail leaves over TLS that was verified, or not at all."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from shared.process.mail import MailRefusedError, MailServerDownError, compose, send
from shared.process.settings import MailSettings
from tests.support.certificates import self_signed, server_context
from tests.support.mailbox import Mailbox, running_mailbox

LOGGED_IN = ["tls AUTH", "tls MAIL"]


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for 127.0.0.1 that this process trusts like one of a known authority."""
    file = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


def settings_for(mailbox: Mailbox, **changes: Any) -> MailSettings:
    given: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": mailbox.port,
        "smtp_username": "tabularium",
        "smtp_password": "a secret",
        "smtp_timeout_s": 5,
    }
    return MailSettings(**(given | changes))


def message(settings: MailSettings) -> EmailMessage:
    return compose(
        settings, to="ann@example.com", subject="s", text="t", message_id="<one@tabularium>"
    )


async def test_starttls_is_the_default_and_comes_before_the_log_in(certificate: Path) -> None:
    async with running_mailbox(tls=server_context(certificate)) as mailbox:
        settings = settings_for(mailbox)
        await send(settings, message(settings))
        assert mailbox.heard == LOGGED_IN
        assert [mail["To"] for mail in mailbox.received] == ["ann@example.com"]


async def test_tls_from_the_first_byte(certificate: Path) -> None:
    async with running_mailbox(tls=server_context(certificate), tls_from_the_start=True) as mailbox:
        settings = settings_for(mailbox, smtp_security="tls")
        await send(settings, message(settings))
        assert mailbox.heard == LOGGED_IN


@pytest.mark.usefixtures("certificate")
async def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    async with running_mailbox() as mailbox:
        settings = settings_for(mailbox)
        with pytest.raises(MailServerDownError):
            await send(settings, message(settings))
        assert (mailbox.heard, mailbox.received) == ([], [])


@pytest.mark.usefixtures("certificate")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_nobody_vouches_for_gets_neither_password_nor_mail(
    tmp_path: Path, security: str
) -> None:
    folder = tmp_path / "stranger"
    folder.mkdir()
    async with running_mailbox(
        tls=server_context(self_signed(folder)), tls_from_the_start=security == "tls"
    ) as mailbox:
        settings = settings_for(mailbox, smtp_security=security)
        with pytest.raises(MailServerDownError):
            await send(settings, message(settings))
        assert (mailbox.heard, mailbox.received) == ([], [])


async def test_a_certificate_of_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = self_signed(tmp_path, host="192.0.2.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(elsewhere))
    async with running_mailbox(tls=server_context(elsewhere)) as mailbox:
        settings = settings_for(mailbox)
        with pytest.raises(MailServerDownError):
            await send(settings, message(settings))
        assert (mailbox.heard, mailbox.received) == ([], [])


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ({"refusal": "550 nobody of that name"}, (550,)),
        ({"content_refusal": "554 looks like spam"}, (554,)),
    ],
)
async def test_what_is_refused_for_good_is_told_apart(
    answers: dict[str, str], codes: tuple[int, ...]
) -> None:
    async with running_mailbox(**answers) as mailbox:
        with pytest.raises(MailRefusedError) as refused:
            await send(mailbox.settings, message(mailbox.settings))
    assert refused.value.codes == codes
    assert "ann@example.com" not in str(refused.value)


@pytest.mark.parametrize(
    "answers",
    [
        {"refusal": "451 come back later"},
        {"content_refusal": "452 the disk is full"},
        {"takes_log_ins": False},  # 535: our settings are wrong, not the message
    ],
)
async def test_what_may_do_later_is_a_server_that_is_down(answers: dict[str, Any]) -> None:
    async with running_mailbox(**answers) as mailbox:
        settings = settings_for(mailbox, smtp_security="none")
        with pytest.raises(MailServerDownError):
            await send(settings, message(settings))
        assert mailbox.received == []


async def test_one_recipient_who_may_do_later_is_enough() -> None:
    async with running_mailbox(refusal="550 nobody of that name") as mailbox:
        both = compose(
            mailbox.settings,
            to="ann@example.com, bob@example.com",
            subject="s",
            text="t",
            message_id="<two@tabularium>",
        )
        with pytest.raises(MailRefusedError) as refused:
            await send(mailbox.settings, both)
        assert refused.value.codes == (550, 550)
        mailbox.refusal = "450 greylisted"
        with pytest.raises(MailServerDownError):
            await send(mailbox.settings, both)
