"""Where tests keep what lasts as long as they do: in memory, where there is room for it.

PostgreSQL makes some 330 files for a database. On a disk that costs a fifth of a second of the
kernel's time, and most tests have a database of their own.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 * 1024**3
"""Containers often give it 64 MiB; several clusters with their write-ahead logs want more."""


@contextmanager
def lasting_folder(prefix: str) -> Iterator[Path]:
    """A folder that PostgreSQL's user can enter, unlike pytest's own; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if _has_room(MEMORY) else None))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= ROOM_BYTES
