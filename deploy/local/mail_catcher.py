"""An SMTP server that keeps each mail as a file.

Usage: `python -m deploy.local.mail_catcher PORT FOLDER`.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Catcher:
    """aiosmtpd's handler: writes `<time in ns>.eml`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep one mail; it appears under its final name only when it is whole."""
        content = envelope.content
        assert isinstance(content, bytes)
        name = f"{time.time_ns()}.eml"
        unfinished = self._folder / f".{name}.part"
        unfinished.write_bytes(content)
        unfinished.rename(self._folder / name)
        return "250 kept"


async def serve(port: int, folder: Path) -> None:
    """Listen on 127.0.0.1 until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, stopping.set)
    handler = Catcher(folder)
    server = await loop.create_server(
        lambda: SMTP(handler, enable_SMTPUTF8=True), host="127.0.0.1", port=port
    )
    async with server:
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
