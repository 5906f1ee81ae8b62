"""Imports from databases: log-in tried, columns checked, password sealed, then queued."""

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.connections.access import SourceAccess, trial
from services.ingest.connections.domain import Login, Selection, SourceId
from services.ingest.connections.saved import SavedConnections
from services.ingest.domain.run import (
    ImportId,
    ImportRequest,
    Run,
    Submission,
)
from services.ingest.plan.columns import check_columns
from services.ingest.read.database import opened
from services.ingest.runs import reads
from services.ingest.runs.reads import SELECTION, TARGET, DatabaseRead, read_row
from services.ingest.service.intake import Check, Intake
from shared.contracts.auth import Caller
from shared.contracts.records import TableContract


@dataclass(frozen=True, slots=True)
class DatabaseImports:
    """Takes imports from databases in; what does not work is refused within 10 s."""

    intake: Intake
    saved: SavedConnections
    access: SourceAccess

    async def submit(
        self, caller: Caller, request: ImportRequest, source: Login | SourceId, selection: Selection
    ) -> Run:
        """Queue the import of a table or query, or return the same one queued or running.

        Raises NotFoundError for an unknown source, HeaderError when the columns do not fit, the
        source's reason, and as `Intake.queue`.
        """
        saved_id = None if isinstance(source, Login) else source
        login = source if isinstance(source, Login) else await self.saved.login(caller, source)

        async def check(contract: TableContract | None) -> None:
            async with trial(), opened(self.access, login, selection) as rows:
                check_columns(rows, contract, request.options)

        return await self._queue(
            caller, request, login, check, selection=selection, saved_id=saved_id
        )

    async def submit_scan(self, caller: Caller, request: ImportRequest, login: Login) -> Run:
        """Queue the scan of a database for the catalog; raises as `submit`."""

        async def check(_contract: TableContract | None) -> None:
            async with trial():
                await self.access.greet(login)

        return await self._queue(caller, request, login, check)

    async def _queue(
        self,
        caller: Caller,
        request: ImportRequest,
        login: Login,
        check: Check,
        *,
        selection: Selection | None = None,
        saved_id: SourceId | None = None,
    ) -> Run:
        keyring = self.access.keyring

        async def keep(connection: AsyncConnection, import_id: ImportId) -> None:
            sealed = keyring.seal(login.password, row=read_row(import_id))
            read = DatabaseRead(
                source_id=saved_id,
                target=login.target,
                sealed_password=sealed if saved_id is None else None,
                selection=selection,
            )
            await reads.keep(connection, import_id, read)

        if request.etl_name is None:
            request = replace(request, etl_name=login.target.label)
        evidence = [
            TARGET.dump_python(login.target, mode="json"),
            None if selection is None else SELECTION.dump_python(selection, mode="json"),
        ]
        submission = Submission.of(request, caller=caller, evidence=evidence)
        return await self.intake.queue(submission, check=check, also=keep)
