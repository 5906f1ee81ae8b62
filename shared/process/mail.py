"""Sending one mail; what is in it, and when it is tried again, is the sender's business."""

from email.message import EmailMessage
from email.utils import formatdate

import aiosmtplib

from shared.errors import UnavailableError
from shared.process.settings import MailSettings


class MailServerDownError(UnavailableError):
    """The mail server did not take the message; it may later."""

    code = "mail_unavailable"


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

    Raises MailServerDownError when the server is away or refuses for now, and
    aiosmtplib's SMTPRecipientsRefused or SMTPResponseException (5xx) when it never will.
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
    except aiosmtplib.SMTPResponseException as exc:
        if exc.code >= 500:
            raise
        raise MailServerDownError(f"the mail server said {exc.code} for now") from exc
    except aiosmtplib.SMTPRecipientsRefused as exc:
        if all(refusal.code >= 500 for refusal in exc.recipients):
            raise
        # 4xx on RCPT: greylisting, a full mailbox; the next try may be taken.
        raise MailServerDownError("the mail server takes none of the recipients for now") from exc
    except (aiosmtplib.SMTPException, OSError) as exc:
        raise MailServerDownError(f"the mail server is away ({type(exc).__name__})") from exc
