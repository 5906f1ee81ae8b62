"""Imports told to OpenLineage's receiver, by the outbox; it holds up nothing while it is away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.clients import RecordsClient
from services.ingest.domain.run import Run, State
from services.ingest.runs import reads
from services.ingest.runs.row import run_of_snapshot
from services.ingest.settings import LineageSettings
from services.ingest.work.openlineage import Facts, Names, run_event
from shared.contracts.records import TableContract
from shared.http.peers import PeerProblemError

TIMEOUT = httpx2.Timeout(5, connect=2)
GIVEN_UP_AFTER = timedelta(days=7)
LATER = frozenset({408, 425, 429})
"""Refusals that are not about the event."""

log = structlog.get_logger()


class LineageAwayError(Exception):
    """The receiver does not take the event now, and may later."""


class Moment(BaseModel):
    """The payload of an intent: an import as its row was at that moment."""

    model_config = ConfigDict(frozen=True)

    timestamp: datetime
    subject: dict[str, Any]
    columns: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """Sends RunEvents to OPENLINEAGE_URL; without it, drops what was to be sent."""

    http: httpx2.AsyncClient
    engine: AsyncEngine
    records: RecordsClient
    settings: LineageSettings
    names: Names

    async def tell(self, payload: Mapping[str, Any]) -> None:
        """Send one event. One that is refused for good, or is a week old, is dropped and logged.

        Raises LineageAwayError, PeerUnavailableError.
        """
        url = self.settings.openlineage_url
        moment = Moment.model_validate(payload)
        run = run_of_snapshot(moment.subject)
        if url is None:
            return
        if datetime.now(UTC) - moment.timestamp > GIVEN_UP_AFTER:
            log.error("lineage_given_up", import_id=run.id)
            return
        event = run_event(await self._facts(run, moment), self.names)
        try:
            answer = await self.http.post(
                f"{url.rstrip('/')}/api/v1/lineage",
                json=event,
                headers=self._headers(),
                timeout=TIMEOUT,
            )
        except httpx2.HTTPError as exc:
            raise LineageAwayError(type(exc).__name__) from exc
        if answer.status_code >= 500 or answer.status_code in LATER:
            raise LineageAwayError(f"it answered {answer.status_code}")
        if not answer.is_success:
            log.error("lineage_refused", import_id=run.id, status=answer.status_code)

    async def _facts(self, run: Run, moment: Moment) -> Facts:
        async with self.engine.connect() as connection:
            read = await reads.one(connection, run.id)
        return Facts(
            run=run,
            at=moment.timestamp,
            columns=moment.columns or (),
            read=read,
            contract=await self._contract(run),
        )

    async def _contract(self, run: Run) -> TableContract | None:
        if run.table is None or run.state is not State.SUCCEEDED:
            return None
        try:
            return await self.records.contract(run.table, run.caller)
        except PeerProblemError:  # it is gone, or its submitter may not see it any more
            return None

    def _headers(self) -> dict[str, str]:
        key = self.settings.openlineage_api_key
        return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
