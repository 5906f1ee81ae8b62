"""The child's side of `read.confined`: its limits, and the messages to and from its parent.

It imports little, because a child's start is a part of the time that a file takes.
"""

import json
import resource
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any

OUT_OF_MEMORY_STATUS = 77
LENGTH = struct.Struct(">I")


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
    """Run it for the path and the options that the process was started with, confined.

    Raises SystemExit with OUT_OF_MEMORY_STATUS where the file takes too much memory.
    """
    path, options = sys.argv[1], json.loads(sys.argv[2])
    confine(memory_bytes=options["memory_bytes"], cpu_s=options["cpu_s"])
    try:
        main(path, options)
    except MemoryError:
        sys.exit(OUT_OF_MEMORY_STATUS)


def asked() -> dict[str, Any] | None:
    """What the parent asks; waits for it. None where it asks nothing more."""
    line = sys.stdin.buffer.readline()
    question: dict[str, Any] | None = json.loads(line) if line else None
    return question


def say(message: Mapping[str, Any], *, prefix: bytes = b"") -> None:
    """Hand a JSON message to the parent."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    send(prefix + text.encode("utf-8", "replace"))


def send(message: bytes) -> None:
    """Hand a message to the parent; an empty one is the last."""
    out = sys.stdout.buffer
    out.write(LENGTH.pack(len(message)))
    out.write(message)
    out.flush()
