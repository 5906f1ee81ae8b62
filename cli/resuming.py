"""Uploads piece by piece (tus 1.0.0): what was sent stays, whatever breaks the connection."""

import base64
import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from cli.client import LONGEST_RETRY_AFTER_S, TEMPORARY, Client
from cli.errors import ProblemAnswerError, ServerAwayError
from cli.uploading import Tell, Upload

RESUMABLE_FROM_BYTES = 64 << 20
"""Smaller files are sent whole, with their options."""
PIECE_BYTES = 8 << 20
PATIENCE_S = 120.0
"""How long nobody may answer before an upload is given up; what was sent is kept for a day."""
FIRST_PAUSE_S = 0.3
LONGEST_PAUSE_S = 5.0
TUS = {"Tus-Resumable": "1.0.0"}
GONE = frozenset({404, 410})
CONFLICT = 409


@dataclass(frozen=True)
class Notes:
    """Which uploads were begun and not finished, so that the same command goes on with them."""

    file: Path

    def find(self, key: str) -> str | None:
        """The upload's id."""
        return self._read().get(key)

    def keep(self, key: str, upload_id: str | None) -> None:
        """Remember an upload; None forgets it."""
        known = {other: value for other, value in self._read().items() if other != key}
        if upload_id is not None:
            known[key] = upload_id
        # Without the note the next command begins anew, which is no error.
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.file.write_text(json.dumps(known))

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def send_resumably(client: Client, upload: Upload, *, notes: Notes, tell: Tell) -> str:
    """Send a file in pieces; returns the id of the upload.

    It goes on where the same file was broken off before. Raises ServerAwayError after two minutes
    without an answer, ProblemAnswerError where the server refuses it.
    """
    key = hashlib.sha256(f"{client.url} {upload.identity}".encode()).hexdigest()
    upload_id, offset = _begun(client, upload, notes.find(key))
    notes.keep(key, upload_id)
    heard_at, pause_s = time.monotonic(), FIRST_PAUSE_S
    tell(offset)
    while offset < (upload.size_bytes or 0):
        upload.content.seek(offset)
        try:
            offset = _sent(client, upload_id, upload.read(PIECE_BYTES), offset)
        except (ServerAwayError, ProblemAnswerError) as exc:
            if time.monotonic() - heard_at > PATIENCE_S or not _is_passing(exc):
                raise
            time.sleep(_pause_s(exc, pause_s))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            with suppress(ServerAwayError):
                offset = _received(client, upload_id)
        else:
            heard_at, pause_s = time.monotonic(), FIRST_PAUSE_S
        tell(offset)
    notes.keep(key, None)
    return upload_id


def _begun(client: Client, upload: Upload, known: str | None) -> tuple[str, int]:
    """The upload that was begun before, if it is still kept, or a new one; and its offset."""
    if known is not None:
        try:
            return known, _received(client, known)
        except ProblemAnswerError as exc:
            if exc.problem.status not in GONE:
                raise
    name = base64.b64encode(upload.name.encode()).decode()
    answer = client.send(
        "POST",
        "/api/uploads",
        headers={
            **TUS,
            "Upload-Length": str(upload.size_bytes),
            "Upload-Metadata": f"filename {name}",
        },
    )
    return str(answer.json()["id"]), 0


def _received(client: Client, upload_id: str) -> int:
    return int(client.get(f"/api/uploads/{upload_id}").json()["received_bytes"])


def _sent(client: Client, upload_id: str, piece: bytes, offset: int) -> int:
    headers = {
        **TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    path = f"/api/uploads/{upload_id}"
    answer: httpx2.Response = client.send("PATCH", path, content=piece, headers=headers)
    return int(answer.headers["Upload-Offset"])


def _is_passing(exc: Exception) -> bool:
    """Whether it may be tried again: nobody answered, or the upload goes on elsewhere."""
    if isinstance(exc, ProblemAnswerError):
        return exc.problem.status in TEMPORARY or exc.problem.status == CONFLICT
    return True


def _pause_s(exc: Exception, pause_s: float) -> float:
    asked_s = exc.retry_after_s if isinstance(exc, ProblemAnswerError) else None
    return pause_s if asked_s is None else min(asked_s, LONGEST_RETRY_AFTER_S)
