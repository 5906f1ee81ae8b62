"""Mails with codes, and whether the mail server is down."""

from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.auth.domain import EmailAddress
from services.auth.otp import CODE_LIFETIME_S
from shared.process.mail import MailServerDownError, compose, send
from shared.process.settings import MailSettings

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

    Only a failed greeting makes it known to be down; a refusal of one address or one message does
    not, or any caller could stop everyone's codes.
    """

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._down = False

    @property
    def known_down(self) -> bool:
        """Whether the last greeting failed."""
        return self._down

    async def send(self, message: EmailMessage) -> None:
        """Send one message.

        Raises MailServerDownError when a later try may succeed, MailRefusedError when none will.
        """
        try:
            await send(self._settings, message)
        except MailServerDownError:
            await self.look()
            raise
        self._down = False

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
            if not self._down:
                log.warning("mail_server_down", error=type(exc).__name__)
            self._down = True
        else:
            if self._down:
                log.info("mail_server_up")
            self._down = False

    async def look_again(self) -> None:
        """Greet the server if it is known to be down: it may be back."""
        if self.known_down:
            await self.look()
