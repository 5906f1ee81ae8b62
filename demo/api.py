"""A caller of the public API that prints each call in a form that can be pasted into a shell."""

import io
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn


class DemoFailedError(Exception):
    """An answer was not what it should be."""


class Api:
    """The gateway as a signed-in person sees it.

    Printed calls speak of `$TABULARIUM` and `$TOKEN`, which the sign-in sets.
    """

    def __init__(self, url: str, console: Console) -> None:
        self._http = httpx2.Client(base_url=url, timeout=60, trust_env=False)
        self._console = console
        self._url = url
        self._token = ""

    def sign_in(self, log_in: Mapping[str, str], *, log_in_file: Path) -> None:
        """Get an access token with the admin's log-in; its password is never printed."""
        self._console.print(f"[dim]$[/] export TABULARIUM={self._url}", highlight=False)
        self._console.print(
            '[dim]$[/] export TOKEN=$(curl -s "$TABULARIUM/api/token/" -H "Content-Type:'
            f' application/json" -d @{shlex.quote(str(log_in_file))} | python3 -c'
            " 'import json,sys; print(json.load(sys.stdin)[\"access\"])')",
            highlight=False,
            soft_wrap=True,
        )
        answer = self._http.post("/api/token/", json=dict(log_in))
        self._token = str(self._checked(answer, 200)["access"])
        self._http.headers["Authorization"] = f"Bearer {self._token}"

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        status: int = 200,
        shown: bool = True,
    ) -> Any:
        """Send JSON, print the call, and give the answer back; fails on any other status."""
        if shown:
            self._print(method, path, body)
        answer = self._http.request(method, path, json=body)
        return self._checked(answer, status)

    def status_of(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> int:
        """Send JSON where more than one status is a good answer."""
        return self._http.request(method, path, json=body).status_code

    def upload(
        self, path: str, file: Path, *, fields: Mapping[str, str], status: int = 202
    ) -> dict[str, Any]:
        """Send a file with a progress bar; returns the answer, as a rule the accepted import."""
        forms = " ".join(f"-F {shlex.quote(f'{name}={value}')}" for name, value in fields.items())
        self._show(f'curl "$TABULARIUM{path}" {self._auth} -F file=@{file} {forms}')
        with self._bar() as bar:
            task = bar.add_task("upload", total=file.stat().st_size)
            with _Watched(file, lambda done: bar.update(task, completed=done)) as content:
                answer = self._http.post(
                    path, data=dict(fields), files={"file": (file.name, content, "text/csv")}
                )
        accepted: dict[str, Any] = self._checked(answer, status)
        return accepted

    def follow(self, accepted: Mapping[str, Any]) -> dict[str, Any]:
        """Follow an import's events with a progress bar until it is done."""
        path = str(accepted["links"]["events"])
        self._show(f'curl -N "$TABULARIUM{path}" {self._auth}')
        with self._bar() as bar:
            task = bar.add_task("import", total=accepted["bytes"]["total"])
            with self._http.stream("GET", path) as stream:
                for kind, run in _events(stream.iter_lines()):
                    bar.update(task, completed=run["bytes"]["read"], total=run["bytes"]["total"])
                    if kind == "done":
                        return run
        raise DemoFailedError("the event stream ended before the import was done")

    @property
    def _auth(self) -> str:
        return '-H "Authorization: Bearer $TOKEN"'

    def _print(self, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        verb = "" if method == "GET" else f"-X {method} "
        data = ""
        if body is not None:
            data = f' -H "Content-Type: application/json" -d {shlex.quote(json.dumps(body))}'
        self._show(f'curl -s {verb}"$TABULARIUM{path}" {self._auth}{data}')

    def _show(self, line: str) -> None:
        self._console.print(f"[dim]$[/] {line}", highlight=False, soft_wrap=True, markup=True)

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )

    @staticmethod
    def _checked(answer: httpx2.Response, status: int) -> Any:
        if answer.status_code != status:
            raise DemoFailedError(
                f"{answer.request.method} {answer.request.url.path}: {status} was expected,"
                f" the answer is {answer.status_code} {answer.text[:500]}"
            )
        return answer.json() if answer.content else None


class _Watched(io.BufferedReader):
    """A file that reports how far it has been read."""

    def __init__(self, file: Path, tell: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(file))
        self._tell_progress = tell

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._tell_progress(self.tell())
        return data


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    kind, data = "message", ""
    for line in lines:
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            yield kind, json.loads(data)
            kind, data = "message", ""
