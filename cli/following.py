"""Following an import's events to its end, over as many connections as it takes."""

import time
from collections.abc import Iterator

from cli.answers import Import
from cli.client import Client
from cli.errors import NotTabulariumError, ProblemAnswerError, ServerAwayError

PATIENCE_S = 120.0
"""How long nobody may answer before following is given up; the import goes on without us."""
FIRST_PAUSE_S = 0.3
LONGEST_PAUSE_S = 5.0
TEMPORARY = frozenset({429, 502, 503, 504})


class LostSightError(ServerAwayError):
    """The server was away for too long; what became of the import must be asked for later."""


def follow(client: Client, accepted: Import) -> Iterator[Import]:
    """The import at each step, the last one being over.

    A broken connection is taken up again where it broke (`Last-Event-ID`). Raises LostSightError
    after two minutes without a server, ProblemAnswerError when the import may not be seen.
    """
    last_event_id: str | None = None
    heard_at = time.monotonic()
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            with client.events(accepted.links.events, last_event_id=last_event_id) as events:
                for event in events:
                    heard_at, pause_s = time.monotonic(), FIRST_PAUSE_S
                    last_event_id = event.id or last_event_id
                    if event.event not in ("progress", "done"):
                        continue
                    run = Import.model_validate_json(event.data)
                    yield run
                    if event.event == "done":
                        return
        except ServerAwayError as exc:
            _lose_patience(accepted, heard_at, exc)
        except NotTabulariumError as exc:  # a proxy in between while the server starts anew
            _lose_patience(accepted, heard_at, exc)
        except ProblemAnswerError as exc:
            if exc.problem.status not in TEMPORARY:
                raise
            _lose_patience(accepted, heard_at, exc)
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _lose_patience(accepted: Import, heard_at: float, exc: Exception) -> None:
    if time.monotonic() - heard_at > PATIENCE_S:
        raise LostSightError(
            f"{exc}; import {accepted.id} goes on by itself: tabularium imports watch {accepted.id}"
        ) from exc
