"""A real SMTP server in the test's own event loop, which keeps what it is sent."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from deploy.local.processes import free_port
from shared.process.settings import MailSettings

HOST = "127.0.0.1"


@dataclass
class Mailbox:
    """Received messages, oldest first; it can be stopped, started again and made to refuse."""

    port: int = field(default_factory=free_port)
    received: list[EmailMessage] = field(default_factory=list)
    refusal: str | None = None
    """What to answer to every recipient instead of taking the mail, for example `451 later`."""
    content_refusal: str | None = None
    """What to answer to every message instead of taking it, for example `554 looks like spam`."""
    takes_log_ins: bool = True
    refused: int = 0
    """How many recipients were answered so."""
    tls: ssl.SSLContext | None = None
    """What it speaks TLS with; None offers no TLS."""
    tls_from_the_start: bool = False
    """TLS before the first word (port 465's way) instead of after STARTTLS."""
    heard: list[str] = field(default_factory=list)
    """Commands that came, oldest first; those inside TLS as `tls MAIL` and the like."""
    _server: asyncio.Server | None = None
    _sessions: "set[SMTP]" = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def settings(self) -> MailSettings:
        """How to reach it."""
        return MailSettings(smtp_host=HOST, smtp_port=self.port, smtp_security="none")

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._session, HOST, self.port, ssl=self.tls if self.tls_from_the_start else None
        )

    async def stop(self) -> None:
        """Stop listening and hang up on everybody; what was received stays."""
        if self._server is None:
            return
        self._server.close()
        for session in self._sessions:
            if isinstance(session.transport, asyncio.WriteTransport):
                session.transport.abort()
        await self._server.wait_closed()
        self._sessions.clear()
        self._server = None

    async def wait_for(self, count: int, *, timeout_s: float = 20) -> list[EmailMessage]:
        """All messages, once there are at least so many; TimeoutError if they do not come."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
        return self.received

    def to(self, address: str) -> list[EmailMessage]:
        """The messages to one address."""
        return [message for message in self.received if message["To"] == address]

    async def wait_for_one_to(self, address: str, *, timeout_s: float = 20) -> EmailMessage:
        """The newest message to one address, once there is one."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: self.to(address))
        return self.to(address)[-1]

    async def wait_for_refusals(self, count: int, *, timeout_s: float = 20) -> None:
        """Return once so many recipients have been refused."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: self.refused >= count)

    def _session(self) -> SMTP:
        session = SMTP(
            self,
            hostname="mailbox.test",
            enable_SMTPUTF8=True,
            tls_context=None if self.tls_from_the_start else self.tls,
            authenticator=self._log_in,
            auth_require_tls=False,
        )
        self._sessions.add(session)
        return session

    def _log_in(
        self, server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, _login: Any
    ) -> AuthResult:
        self._hear(server, "AUTH")
        return AuthResult(success=self.takes_log_ins)

    def _hear(self, server: SMTP, command: str) -> None:
        transport = server.transport
        inside = transport is not None and transport.get_extra_info("ssl_object") is not None
        self.heard.append(f"tls {command}" if inside else command)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        self._hear(server, "MAIL")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.refusal is not None:
            async with self._changed:
                self.refused += 1
                self._changed.notify_all()
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.content_refusal is not None:
            return self.content_refusal
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        async with self._changed:
            self.received.append(message)
            self._changed.notify_all()
        return "250 taken"


@asynccontextmanager
async def running_mailbox(**settings: Any) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox(**settings)
    await mailbox.start()
    try:
        yield mailbox
    finally:
        await mailbox.stop()
