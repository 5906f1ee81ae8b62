"""Reading what strangers made in a process of its own, with a limit on its memory and its time.

The parent side starts `python -m MODULE ARGUMENTS…` without the worker's environment, and reads
messages from it: four bytes of length (big-endian), then so many bytes. A message ends the stream
when it is empty. What a file does to the child ends the child, never the worker.
"""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from io import FileIO
from typing import Any

from services.ingest.read.serving import LENGTH, OUT_OF_MEMORY_STATUS
from shared.process.stopping import end

MESSAGE_LIMIT_BYTES = 256 << 20
STDERR_KEPT_BYTES = 4_096
PIPE_BYTES = 1 << 20
"""What an unprivileged process may ask for."""


class ChildDiedError(Exception):
    """The child ended before its last message.

    `memory`: it wanted more memory than it may have; `time`: it took too much processor time.
    """

    def __init__(self, status: int, stderr: str) -> None:
        super().__init__(f"the reading process ended with status {status}")
        self.memory = status in (OUT_OF_MEMORY_STATUS, -signal.SIGABRT, -signal.SIGKILL)
        self.time = status == -signal.SIGXCPU
        self.stderr = stderr


class Child:
    """A child that runs: an iterator over its messages. Raises ChildDiedError."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        messages: "_Incoming",
        errors: "asyncio.Task[bytes]",
    ) -> None:
        self._process = process
        self._messages = messages
        self._errors = errors

    async def ask(self, question: Mapping[str, Any]) -> None:
        """Hand the child what its `serving.asked` returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        with suppress(ConnectionError):  # that it died is said where its messages end
            await self._process.stdin.drain()

    def __aiter__(self) -> "Child":
        return self

    async def __anext__(self) -> bytearray:
        try:
            (size,) = LENGTH.unpack(await self._messages.exactly(LENGTH.size))
            if size > MESSAGE_LIMIT_BYTES:
                raise ChildDiedError(OUT_OF_MEMORY_STATUS, "a message is too large")
            if not size:
                raise StopAsyncIteration
            return await self._messages.exactly(size)
        except EOFError as exc:
            status = await self._process.wait()
            stderr = (await self._errors).decode(errors="replace")
            raise ChildDiedError(status, stderr) from exc


class _Incoming:
    """The end of a pipe from which bytes are read straight into their place."""

    def __init__(self, pipe: FileIO) -> None:
        self._pipe = pipe

    async def exactly(self, size: int) -> bytearray:
        """So many bytes; raises EOFError."""
        content = bytearray(size)
        rest = memoryview(content)
        while rest:
            count = self._pipe.readinto(rest)
            if count == 0:
                raise EOFError
            rest = rest[count or 0 :]
            if rest:
                await self._readable()
        return content

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self._pipe.fileno(), _done, readable)
        try:
            await readable
        finally:
            loop.remove_reader(self._pipe.fileno())


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


@asynccontextmanager
async def confined(module: str, arguments: Sequence[str]) -> AsyncIterator[Child]:
    """A child process, which ends with the block."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        try:
            os.set_blocking(reading, False)
            with suppress(PermissionError):  # one user's pipes together have a limit
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            process = await _started(module, arguments, writing)
        finally:
            os.close(writing)
        assert process.stderr is not None
        errors = asyncio.create_task(_tail(process.stderr))
        try:
            yield Child(process, _Incoming(pipe), errors)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await end([errors])


async def _started(
    module: str, arguments: Sequence[str], stdout: int
) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "LANG": "C.UTF-8",
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """The end of what a stream says, read to its end so that the writer never waits."""
    kept = b""
    while chunk := await stream.read(STDERR_KEPT_BYTES):
        kept = (kept + chunk)[-STDERR_KEPT_BYTES:]
    return kept
