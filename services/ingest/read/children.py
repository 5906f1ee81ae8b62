"""What the reading processes (`read.confined`) say, in the service's own errors."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from services.ingest.errors import EmptyFileError, FileRefusedError
from services.ingest.read.confined import ChildDiedError, confined
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


@asynccontextmanager
async def child_reading(
    module: str,
    file: AbstractAsyncContextManager[Path],
    options: Mapping[str, Any],
    limits: Limits,
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The messages of `python -m module` about a file on disk; the child ends with the block.

    Raises FileRefusedError where the file takes more memory or time than it may, or makes the
    reader fail.
    """
    arguments = {
        **options,
        "limit_bytes": limits.decompressed_bytes,
        "memory_bytes": limits.reader_memory_bytes,
        "cpu_s": limits.reader_cpu_s,
    }
    async with (
        file as path,
        confined(module, (str(path), json.dumps(arguments))) as messages,
        aclosing(_translated(messages, module, limits)) as translated,
    ):
        yield translated


async def _translated(
    messages: AsyncIterator[bytes], module: str, limits: Limits
) -> AsyncGenerator[bytes, None]:
    try:
        async for message in messages:
            yield message
    except ChildDiedError as died:
        log.warning("reader_died", reader=module, error=str(died), stderr=died.stderr)
        if died.memory:
            raise BombError(
                f"reading the file takes more than {limits.reader_memory_bytes >> 20} MiB of"
                " memory: save it as CSV, or in parts"
            ) from died
        if died.time:
            raise BombError("reading the file takes too long: save it as CSV") from died
        raise DamagedFileError("the file is damaged: its reader failed") from died


def said(message: bytes) -> dict[str, Any]:
    """A JSON message; raises the FileRefusedError that it stands for."""
    content: dict[str, Any] = json.loads(message)
    if "code" in content:
        refusal = REFUSALS[content["code"]](content["message"])
        if isinstance(refusal, ChoiceNeededError):
            refusal.choices = tuple(content.get("choices", ()))
        raise refusal
    return content
