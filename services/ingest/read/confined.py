"""Reading what strangers made in a process of its own, with a limit on its memory and its time.

The parent side starts `python -m MODULE ARGUMENTS…` without the worker's environment, and reads
messages from it: four bytes of length (big-endian), then so many bytes. A message ends the stream
when it is empty. What a file does to the child ends the child, never the worker.
"""

import asyncio
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from shared.process.stopping import end

MESSAGE_LIMIT_BYTES = 256 << 20
STDERR_KEPT_BYTES = 4_096
OUT_OF_MEMORY_STATUS = 77
_LENGTH = struct.Struct(">I")


class ChildDiedError(Exception):
    """The child ended before its last message.

    `memory`: it wanted more memory than it may have; `time`: it took too much processor time.
    """

    def __init__(self, status: int, stderr: str) -> None:
        super().__init__(f"the reading process ended with status {status}")
        self.memory = status in (OUT_OF_MEMORY_STATUS, -signal.SIGABRT, -signal.SIGKILL)
        self.time = status == -signal.SIGXCPU
        self.stderr = stderr


def confine(*, memory_bytes: int, cpu_s: int) -> None:
    """In the child, after its imports: bound what it may take beyond what it has already."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no pathlib in the child
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # The soft limit says by its signal what it was; the hard one kills, as a lack of memory may.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(main: Callable[[str, dict[str, Any]], None]) -> None:
    """In the child: run it for the path and the options that it was started with, confined.

    Raises SystemExit with OUT_OF_MEMORY_STATUS where the file takes too much memory.
    """
    path, options = sys.argv[1], json.loads(sys.argv[2])
    confine(memory_bytes=options["memory_bytes"], cpu_s=options["cpu_s"])
    try:
        main(path, options)
    except MemoryError:
        sys.exit(OUT_OF_MEMORY_STATUS)


def say(message: Mapping[str, Any], *, prefix: bytes = b"") -> None:
    """In the child: hand a JSON message to the parent."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    send(prefix + text.encode("utf-8", "replace"))


def send(message: bytes) -> None:
    """In the child: hand a message to the parent; an empty one is the last."""
    out = sys.stdout.buffer
    out.write(_LENGTH.pack(len(message)))
    out.write(message)
    out.flush()


@asynccontextmanager
async def confined(module: str, arguments: Sequence[str]) -> AsyncIterator[AsyncIterator[bytes]]:
    """The messages of a child process, which ends with the block.

    Raises ChildDiedError while they are read.
    """
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "LANG": "C.UTF-8",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", module, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        limit=1 << 20,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_tail(process.stderr))
    try:
        yield _messages(process, process.stdout, errors)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await end([errors])


async def _messages(
    process: asyncio.subprocess.Process,
    stdout: asyncio.StreamReader,
    errors: "asyncio.Task[bytes]",
) -> AsyncIterator[bytes]:
    while True:
        try:
            (size,) = _LENGTH.unpack(await stdout.readexactly(_LENGTH.size))
            if size > MESSAGE_LIMIT_BYTES:
                raise ChildDiedError(OUT_OF_MEMORY_STATUS, "a message is too large")
            message = await stdout.readexactly(size)
        except asyncio.IncompleteReadError as exc:
            status = await process.wait()
            stderr = (await errors).decode(errors="replace")
            raise ChildDiedError(status, stderr) from exc
        if not size:
            return
        yield message


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """The end of what a stream says, read to its end so that the writer never waits."""
    kept = b""
    while chunk := await stream.read(STDERR_KEPT_BYTES):
        kept = (kept + chunk)[-STDERR_KEPT_BYTES:]
    return kept
