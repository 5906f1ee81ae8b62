"""A file on its way into storage: hashed, counted, its head kept; of another kind, refused."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from services.ingest.read.kinds import refuse_kind

HEAD_BYTES = 64 * 1024
"""So much of a file is looked at before the rest is taken."""
HASHED_AT_ONCE_BYTES = 1024 * 1024


class ArrivingFile:
    """What is known of a file once its bytes went `through`."""

    def __init__(self) -> None:
        self.name = ""
        self.size_bytes = 0
        self.digest = hashlib.sha256()
        self.head = bytearray()

    async def through(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes, in larger pieces; raises WrongFileKindError at its head."""
        waiting = bytearray()
        seen_head = False
        async for chunk in chunks:
            waiting += chunk
            if not seen_head and len(waiting) >= HEAD_BYTES:
                seen_head = True
                refuse_kind(bytes(waiting[:HEAD_BYTES]))
            if len(waiting) >= HASHED_AT_ONCE_BYTES:
                yield await self._counted(bytes(waiting))
                waiting.clear()
        if not seen_head:
            refuse_kind(bytes(waiting))
        yield await self._counted(bytes(waiting))

    async def _counted(self, data: bytes) -> bytes:
        self.head += data[: HEAD_BYTES - len(self.head)]
        self.size_bytes += len(data)
        await asyncio.to_thread(self.digest.update, data)
        return data
