"""Streaming an answer to a file, whole or not at all, or to standard output."""

import sys
from collections.abc import Iterable
from pathlib import Path

import httpx2

from cli.client import Parameters
from cli.errors import UsageError
from cli.session import Session


def download(
    here: Session, path: str, file: Path | None, *, params: Parameters | None = None
) -> int:
    """Write a streamed answer to a file (or stdout for None or `-`); returns its bytes.

    The file appears under its name when all of it has come: a broken connection leaves no half.
    """
    with here.client.stream(path, params=params) as response:
        if file is None or str(file) == "-":
            return _to_stdout(response)
        unfinished = file.with_name(f"{file.name}.part")
        try:
            size_bytes = _to_file(here, response, unfinished, label=file.name)
            unfinished.replace(file)
        except OSError as exc:
            unfinished.unlink(missing_ok=True)
            raise UsageError(f"{file} cannot be written ({exc.strerror})") from exc
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        return size_bytes


def _to_file(here: Session, response: httpx2.Response, file: Path, *, label: str) -> int:
    size_bytes = 0
    with file.open("wb") as output, here.screen.progress(sending=True) as bar:
        task = bar.add_task(label, total=None)
        for chunk in response.iter_bytes():
            output.write(chunk)
            size_bytes += len(chunk)
            bar.update(task, completed=size_bytes)
    return size_bytes


def _to_stdout(response: httpx2.Response) -> int:
    size_bytes = 0
    chunks: Iterable[bytes] = response.iter_bytes()
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
        size_bytes += len(chunk)
    sys.stdout.buffer.flush()
    return size_bytes
