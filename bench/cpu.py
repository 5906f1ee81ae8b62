"""CPU time, which other work on the machine touches less than the clock's."""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import TypeVar

from tests.support.databases import Database

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cost:
    """What some work took: by the clock, and of the processors.

    Those of this process, of the processes that it started and waited for, and of PostgreSQL.
    """

    clock_s: float
    cpu_s: float


async def measured(
    database: Database, work: Callable[[], Awaitable[Result]]
) -> tuple[Cost, Result]:
    """What work cost, and its result; PostgreSQL does nothing else meanwhile."""
    server = database.cluster.process
    assert server is not None
    began, before = time.perf_counter(), _here_s() + cpu_s(server.pid)
    result = await work()
    took = time.perf_counter() - began
    return Cost(took, _here_s() + cpu_s(server.pid) - before), result


def _here_s() -> float:
    own, children = (getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and of its children, dead or alive."""
    while True:
        children = _children(pid)
        try:
            total = _own_s(pid) + sum(map(cpu_s, children))
        except (FileNotFoundError, ProcessLookupError):
            continue  # a child ended meanwhile: its parent has its time now
        if children == _children(pid):
            return total


def _children(pid: int) -> list[int]:
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def _own_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_S
