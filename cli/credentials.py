"""Tokens of each server a person has signed in to, in one file that only that person can read."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cli.errors import CommandError

try:
    import fcntl
except ImportError:  # not on Windows; there the server's grace for a rotated token has to do
    fcntl = None  # type: ignore[assignment]

APPLICATION = "tabularium"
FILE_NAME = "credentials.json"


class LogIn(BaseModel):
    """The tokens for one server; machine clients keep their secret instead of a refresh token."""

    model_config = ConfigDict(frozen=True)

    access: str
    expires_at: float
    """Seconds since the epoch, by this machine's clock."""
    refresh: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


class LogIns(BaseModel):
    """What is in the file."""

    model_config = ConfigDict(frozen=True)

    last_url: str | None = None
    """The server of the last `login`, which commands use by default."""
    servers: dict[str, LogIn] = Field(default_factory=dict)


class CredentialStore:
    """The file under the platform's configuration folder, always with mode 600."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(typer.get_app_dir(APPLICATION))
        self._file = self._folder / FILE_NAME

    @property
    def file(self) -> Path:
        """Where the tokens are."""
        return self._file

    @property
    def last_url(self) -> str | None:
        """The server that was last signed in to."""
        return self._read().last_url

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return self._folder

    def find(self, url: str) -> LogIn | None:
        """The log-in for a server, or None."""
        return self._read().servers.get(url)

    def keep(self, url: str, log_in: LogIn, *, as_default: bool = False) -> None:
        """Write a server's log-in; with `as_default` it becomes the server of later commands."""
        known = self._read()
        last_url = url if as_default else known.last_url
        self._write(LogIns(last_url=last_url, servers={**known.servers, url: log_in}))

    def forget(self, url: str) -> None:
        """Remove a server's log-in; nothing happens when there is none."""
        known = self._read()
        others = {other: log_in for other, log_in in known.servers.items() if other != url}
        self._write(LogIns(last_url=known.last_url, servers=others))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against other commands, which would rotate the same refresh token."""
        self._make_folder()
        lock_file = self._folder / "credentials.lock"
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> LogIns:
        try:
            return LogIns.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return LogIns()
        except OSError as exc:
            raise CommandError(f"{self._file} cannot be read ({exc.strerror})") from exc
        except ValidationError as exc:
            raise CommandError(
                f"{self._file} is damaged; remove it and run `tabularium login`"
            ) from exc

    def _write(self, known: LogIns) -> None:
        self._make_folder()
        unfinished = self._file.with_suffix(f".{os.getpid()}.part")
        try:
            unfinished.unlink(missing_ok=True)
            # The mode is given at creation: there is no moment in which others could read it.
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as output:
                json.dump(known.model_dump(mode="json", exclude_none=True), output, indent=1)
                output.write("\n")
            unfinished.replace(self._file)
        except OSError as exc:
            raise CommandError(f"{self._file} cannot be written ({exc.strerror})") from exc

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise CommandError(f"{self._folder} cannot be made ({exc.strerror})") from exc
