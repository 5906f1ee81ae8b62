"""TNS packets on a stream: framing, the first hand-shake, markers. Not what messages mean."""

import asyncio
import contextlib
import re
from dataclasses import dataclass

from tests.support.oracle.primitives import u16, u32

CONNECT, ACCEPT, REFUSE, REDIRECT, DATA, MARKER = 1, 2, 4, 5, 6, 12
HEADER_BYTES = 8
END_OF_RESPONSE = 0x2000
"""Data flag of the last packet of an answer, from protocol version 319 on."""
END_OF_FILE = 0x40
END_MESSAGE = b"\x1d"
LONG_CONNECT_TEXT = 230

MARK_BREAK, MARK_RESET = b"\x01\x00\x01", b"\x01\x00\x02"


class HungUpError(Exception):
    """The other side is gone, or says good-bye."""


class BrokenOffError(Exception):
    """The client broke off the last call; it wants to hear ORA-01013 now."""


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What a client wants to be connected to."""

    service_name: str | None
    sid: str | None


class PacketStream:
    """One client's packets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._long_lengths = False
        self._end_of_response = False
        self._sdu = 8192

    async def packet(self) -> tuple[int, bytes]:
        """The next packet: its type and what follows the header."""
        try:
            header = await self._reader.readexactly(HEADER_BYTES)
            length = int.from_bytes(header[: 4 if self._long_lengths else 2], "big")
            return header[4], await self._reader.readexactly(length - HEADER_BYTES)
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            raise HungUpError from exc

    async def data(self) -> bytes:
        """The next DATA packet's part of a message.

        Raises BrokenOffError when the client breaks off instead, after the reset that follows.
        """
        kind, body = await self.packet()
        if kind == MARKER:
            await self._reset(body)
            raise BrokenOffError
        if kind != DATA or int.from_bytes(body[:2], "big") & END_OF_FILE:
            raise HungUpError
        return body[2:]

    async def connect_request(self) -> ConnectRequest:
        """Read CONNECT; a long text follows in a packet of its own."""
        kind, body = await self.packet()
        if kind != CONNECT:
            raise HungUpError
        length, offset = int.from_bytes(body[16:18], "big"), int.from_bytes(body[18:20], "big")
        if length > LONG_CONNECT_TEXT:
            text = (await self.data()).decode()
        else:
            text = body[offset - HEADER_BYTES :][:length].decode()
        return ConnectRequest(
            service_name=_argument(text, "SERVICE_NAME"), sid=_argument(text, "SID")
        )

    async def accept(
        self, *, version: int, fast_login: bool, end_of_response: bool, native_encryption: bool
    ) -> None:
        """Agree; from here on lengths have four bytes."""
        flags = (0x10000000 if fast_login else 0) | (0x02000000 if end_of_response else 0)
        body = u16(version) + u16(1) + bytes(10) + bytes([0x10 if native_encryption else 0])
        body += bytes(9) + u32(self._sdu)
        if version >= 318:
            body += bytes(5) + u32(flags)
        await self._send(ACCEPT, body)
        self._long_lengths = True
        self._end_of_response = end_of_response

    async def refuse(self, code: int) -> None:
        """Send the listener's refusal."""
        text = f"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR={code})(ERROR_STACK=(ERROR=(CODE={code}))))"
        await self._send(REFUSE, b"\x22\x00" + u16(len(text)) + text.encode())

    async def redirect(self, *, host: str, port: int, service_name: str) -> None:
        """Send the client on to another address, as a listener may."""
        to = f"(ADDRESS=(PROTOCOL=tcp)(HOST={host})(PORT={port}))"
        again = f"(DESCRIPTION={to}(CONNECT_DATA=(SERVICE_NAME={service_name})))"
        text = f"{to}\0{again}".encode()
        await self._send(REDIRECT, u16(len(text)))
        await self._send(DATA, u16(0) + text)

    async def answer(self, message: bytes, *, ends: bool = True) -> None:
        """Send a message, split into packets; `ends` marks the last one where that is spoken."""
        marked = ends and self._end_of_response
        if marked:
            message += END_MESSAGE
        room = self._sdu - HEADER_BYTES - 2
        packets = []
        for at in range(0, len(message), room):
            last = at + room >= len(message)
            piece = message[at : at + room]
            flags = END_OF_RESPONSE if last and marked else 0
            packets.append(
                u32(len(piece) + HEADER_BYTES + 2) + bytes([DATA, 0, 0, 0]) + u16(flags) + piece
            )
        self._writer.write(b"".join(packets))
        await self._drain()

    async def _reset(self, marker: bytes) -> None:
        if marker != MARK_RESET:
            await self._send(MARKER, MARK_BREAK)
        while marker != MARK_RESET:
            kind, body = await self.packet()
            marker = body if kind == MARKER else marker
        await self._send(MARKER, MARK_RESET)

    def drop(self) -> None:
        """Cut the connection in mid-sentence."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _send(self, kind: int, body: bytes) -> None:
        length = len(body) + HEADER_BYTES
        size = u32(length) if self._long_lengths else u16(length) + bytes(2)
        self._writer.write(size + bytes([kind, 0, 0, 0]) + body)
        await self._drain()

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError as exc:
            raise HungUpError from exc


def _argument(text: str, name: str) -> str | None:
    found = re.search(rf"\({name}=([^)]*)\)", text, re.IGNORECASE)
    return found[1] if found else None
