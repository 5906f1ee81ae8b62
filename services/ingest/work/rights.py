"""Whether the submitter of an import may still do it: asked at the claim and before the commit.

An answer counts for `RIGHTS_FRESH_S`, so a small import asks once. While auth cannot be reached an
import waits to begin; one that has come to its commit goes by what was known when it began.
"""

import time
from dataclasses import replace

import structlog

from services.ingest.clients import AuthClient
from services.ingest.domain.options import ImportKind
from services.ingest.domain.run import Run
from services.ingest.errors import NotAllowedAnyMoreError
from shared.contracts.auth import Caller, Scope
from shared.errors import ForbiddenError, NotFoundError
from shared.http.peers import PeerProblemError

KEPT = 1000

log = structlog.get_logger()


class Rights:
    """What submitters may do, as auth says it."""

    def __init__(self, auth: AuthClient, *, fresh_s: float) -> None:
        self._auth = auth
        self.fresh_s = fresh_s
        """How long an answer counts, of auth and of records."""
        self._known: dict[Caller, tuple[float, Caller | None]] = {}

    async def confirmed(self, run: Run) -> Run:
        """The run with its submitter as of now.

        Raises NotAllowedAnyMoreError, PeerUnavailableError.
        """
        caller = await self._now(run.caller)
        if caller is None:
            raise NotAllowedAnyMoreError("the account, client or API key that asked is disabled")
        scope = scope_for(run.kind)
        if scope not in caller.scopes:
            raise NotAllowedAnyMoreError(f"whoever asked no longer has the scope {scope.value}")
        return replace(run, caller=caller)

    async def _now(self, caller: Caller) -> Caller | None:
        known = self._known.get(caller)
        if known is not None and time.monotonic() - known[0] < self.fresh_s:
            return known[1]
        asked_at = time.monotonic()
        now = await self._auth.now(caller)
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[caller] = (asked_at, now)
        return now


def scope_for(kind: ImportKind) -> Scope:
    """What a caller's token must open for an import of this kind."""
    if kind in (ImportKind.CATALOG_FILE, ImportKind.CATALOG_DATABASE):
        return Scope.CATALOG_WRITE
    return Scope.IMPORTS_WRITE


def is_refusal(error: PeerProblemError) -> bool:
    """Whether records says that the caller may not write to the table, or sees none."""
    return error.status in (ForbiddenError.status, NotFoundError.status)
