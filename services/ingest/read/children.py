"""What the reading processes (`read.confined`) say, in the service's own errors."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from services.ingest.errors import EmptyFileError, FileRefusedError
from services.ingest.read.confined import Child, ChildDiedError, confined
from services.ingest.read.errors import (
    BombError,
    ChoiceNeededError,
    DamagedFileError,
    EncryptedFileError,
    MemberNeededError,
    SheetNeededError,
    UnknownMemberError,
    UnknownSheetError,
    UnsafeMemberError,
    UnsupportedColumnError,
)
from services.ingest.read.limits import Limits

REFUSALS: Mapping[str, type[FileRefusedError]] = {
    refusal.code: refusal
    for refusal in (
        *(BombError, DamagedFileError, EmptyFileError, EncryptedFileError),
        *(MemberNeededError, UnknownMemberError, UnsafeMemberError),
        *(SheetNeededError, UnknownSheetError, UnsupportedColumnError),
    )
}

log = structlog.get_logger()


class Reader:
    """A child that reads a file: an iterator over its messages.

    Raises FileRefusedError where the file takes more memory or time than it may, or makes the
    reader fail.
    """

    def __init__(self, child: Child, module: str, limits: Limits) -> None:
        self._child = child
        self._module = module
        self._limits = limits

    async def ask(self, question: Mapping[str, Any]) -> None:
        """Hand the child what its `serving.asked` returns."""
        await self._child.ask(question)

    def __aiter__(self) -> "Reader":
        return self

    async def __anext__(self) -> bytearray:
        try:
            return await anext(self._child)
        except ChildDiedError as died:
            log.warning("reader_died", reader=self._module, error=str(died), stderr=died.stderr)
            if died.memory:
                raise BombError(
                    f"reading the file takes more than {self._limits.reader_memory_bytes >> 20} MiB"
                    " of memory: save it as CSV, or in parts"
                ) from died
            if died.time:
                raise BombError("reading the file takes too long: save it as CSV") from died
            raise DamagedFileError("the file is damaged: its reader failed") from died


@asynccontextmanager
async def child_reading(
    module: str,
    file: AbstractAsyncContextManager[Path],
    options: Mapping[str, Any],
    limits: Limits,
) -> AsyncIterator[Reader]:
    """`python -m module` about a file on disk; the child ends with the block."""
    arguments = {
        **options,
        "limit_bytes": limits.decompressed_bytes,
        "memory_bytes": limits.reader_memory_bytes,
        "cpu_s": limits.reader_cpu_s,
    }
    async with file as path, confined(module, (str(path), json.dumps(arguments))) as child:
        yield Reader(child, module, limits)


def said(message: bytes | bytearray) -> dict[str, Any]:
    """A JSON message; raises the FileRefusedError that it stands for."""
    content: dict[str, Any] = json.loads(message)
    if "code" in content:
        refusal = REFUSALS[content["code"]](content["message"])
        if isinstance(refusal, ChoiceNeededError):
            refusal.choices = tuple(content.get("choices", ()))
        raise refusal
    return content
