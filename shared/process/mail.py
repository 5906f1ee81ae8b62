"""Sending a mail; errors distinguish what may succeed later from what never will."""

from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate

import aiosmtplib

from shared.errors import UnavailableError
from shared.process.settings import MailSettings

PERMANENT = 500


class MailServerDownError(UnavailableError):
    """The mail server did not take the message; it may later."""

    code = "mail_unavailable"


class MailRefusedError(Exception):
    """The mail server permanently refused the message's sender, all recipients, or its content.

    `codes` are the server's reply codes (RFC 5321). Its texts may contain the recipient's address
    and are left out.
    """

    def __init__(self, codes: Sequence[int]) -> None:
        super().__init__(f"refused with {', '.join(map(str, codes))}")
        self.codes = tuple(codes)


def compose(
    settings: MailSettings,
    *,
    to: str,
    subject: str,
    text: str,
    html: str | None = None,
    message_id: str,
) -> EmailMessage:
    """A message with a stable id, so that a second delivery can be seen to be one.

    Headers go through `EmailMessage`, which refuses line breaks in them (ValueError).
    """
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate(localtime=False, usegmt=True)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


async def send(settings: MailSettings, message: EmailMessage) -> None:
    """Hand one message to the SMTP server.

    Raises MailServerDownError when the server cannot be reached, refuses the log-in, or refuses
    the message temporarily; MailRefusedError when it refuses the message permanently.
    """
    try:
        await aiosmtplib.send(
            message,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=settings.smtp_timeout_s,
        )
    except aiosmtplib.SMTPRecipientsRefused as exc:
        raise _refused(*(refusal.code for refusal in exc.recipients)) from exc
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as exc:
        raise _refused(exc.code) from exc
    except aiosmtplib.SMTPResponseException as exc:
        # A failed greeting or log-in is not about the message, even with a permanent code.
        raise MailServerDownError(f"the mail server said {exc.code}") from exc
    except (aiosmtplib.SMTPException, OSError) as exc:
        raise MailServerDownError(f"the mail server is away ({type(exc).__name__})") from exc


def _refused(*codes: int) -> MailServerDownError | MailRefusedError:
    # 4xx for at least one recipient (greylisting, a full mailbox): a later attempt may succeed.
    if all(code >= PERMANENT for code in codes):
        return MailRefusedError(codes)
    return MailServerDownError(f"the mail server said {min(codes)} for now")
