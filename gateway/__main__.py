"""`python -m gateway`: one gateway process on HOST and PORT."""

import ctypes
import gc
import resource

from gateway.main import gateway_from_environment
from gateway.server import server_for

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    server = server_for(gateway_from_environment())
    # What was made until here lives as long as the process: the collector need not look at it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
    _keep_freed_memory()
    allow_all_files()
    server.run()
    return 0


def _keep_freed_memory() -> None:
    """Let glibc reuse the memory of large chunks instead of giving it back after each.

    Without this every chunk of an upload is copied into pages that the kernel has to clear first.
    Other C libraries have no such switch and need none.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 4 * 1024 * 1024)
    mallopt(_M_TRIM_THRESHOLD, 64 * 1024 * 1024)


def allow_all_files() -> None:
    """Raise the limit of open files to what the system allows: each connection is one."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


if __name__ == "__main__":
    raise SystemExit(main())
