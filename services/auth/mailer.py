"""Mails with codes, and what is known about the mail server."""

import asyncio
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.auth.domain import EmailAddress
from services.auth.otp import CODE_LIFETIME_S
from shared.process.mail import MailServerDownError, compose, send
from shared.process.settings import MailSettings

LOOK_EVERY_S = 2.0

log = structlog.get_logger()


class CodeMails:
    """Writes the mail with a code: the code first, in the subject too, and no link at all.

    A link would be followed, and so used up, by mail scanners.
    """

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        environment = Environment(
            loader=PackageLoader("services.auth", "templates"),
            autoescape=select_autoescape(["html.j2"]),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        self._text = environment.get_template("code.txt.j2")
        self._html = environment.get_template("code.html.j2")

    def compose(self, email: EmailAddress, code: str) -> EmailMessage:
        """The mail, as text and as HTML."""
        words = {"code": code, "minutes": CODE_LIFETIME_S // 60}
        return compose(
            self._settings,
            to=email,
            subject=f"{code} is your sign-in code",
            text=self._text.render(words),
            html=self._html.render(words),
            message_id=make_msgid("code", domain="tabularium"),
        )


class MailServer:
    """Sends, and knows whether the mail server is down.

    Only a failed greeting makes it known to be down; what it says about one address or one
    message does not, or anybody could stop everybody's codes.
    """

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._down = asyncio.Event()

    @property
    def known_down(self) -> bool:
        """Whether the last look found nobody there."""
        return self._down.is_set()

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over.

        Raises MailServerDownError when a later try may do, MailRefusedError when none will.
        """
        try:
            await send(self._settings, message)
        except MailServerDownError:
            await self.look()
            raise
        self._down.clear()

    async def look(self) -> None:
        """Greet the server, and remember whether it answered."""
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=settings.smtp_timeout_s,
        )
        try:
            async with client:
                await client.noop()
        except (aiosmtplib.SMTPException, OSError) as exc:
            if not self._down.is_set():
                log.warning("mail_server_down", error=type(exc).__name__)
            self._down.set()
        else:
            if self._down.is_set():
                log.info("mail_server_up")
            self._down.clear()

    async def watch(self) -> None:
        """While the server is known to be down, look every two seconds whether it is back."""
        while True:
            await self._down.wait()
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()
