"""Commits: the rows that a dry run judged, queued to be loaded."""

from dataclasses import dataclass, replace

from services.ingest.domain.options import OnNewColumn
from services.ingest.domain.run import (
    ImportRequest,
    RehearsedFile,
    Run,
    State,
    Submission,
)
from services.ingest.errors import (
    AlreadyCommittedError,
    ObjectMissingError,
    RehearsalGoneError,
    StateForbidsError,
)
from services.ingest.runs import submitted
from services.ingest.service.control import ImportControl
from services.ingest.service.intake import Intake
from shared.contracts.auth import Caller
from shared.contracts.records import TableContract


@dataclass(frozen=True, slots=True)
class Commits:
    """Takes commits of dry runs in."""

    intake: Intake
    control: ImportControl

    async def submit(self, caller: Caller, rehearsal_id: int) -> Run:
        """Queue the commit of a dry run, or return the one that is queued or running.

        Raises NotFoundError, StateForbidsError unless it is a dry run that succeeded,
        AlreadyCommittedError, RehearsalGoneError, and as `Intake.queue`.
        """
        rehearsal = await self.control.look(caller, rehearsal_id)
        if not rehearsal.options.dry_run or rehearsal.table is None:
            raise StateForbidsError("the import was no dry run into a table: nothing to commit")
        if rehearsal.state is not State.SUCCEEDED:
            raise StateForbidsError(
                f"the dry run is {rehearsal.state.value}; what succeeded can be committed"
            )
        if rehearsal.rehearsal_path is None and rehearsal.options.on_new_column is OnNewColumn.ADD:
            raise StateForbidsError(
                "the dry run keeps no rows where it would add columns: import the file itself"
            )
        committed = await submitted.commit_of(self.intake.pool, rehearsal.id)
        if committed is not None:
            raise AlreadyCommittedError(f"import {committed} has loaded these rows")
        submission = Submission.of(
            ImportRequest(
                kind=rehearsal.kind,
                options=replace(rehearsal.options, dry_run=False),
                table=rehearsal.table,
                etl_name=rehearsal.etl_name,
                email=rehearsal.email,
                follows=rehearsal.id,
            ),
            caller=caller,
            evidence=[],
            rehearsed=RehearsedFile(
                file_name=rehearsal.file_name,
                content_sha256=rehearsal.content_sha256,
                size_bytes=await self._size_bytes(rehearsal),
            ),
        )
        return await self.intake.queue(submission, check=_nothing_to_check)

    async def _size_bytes(self, rehearsal: Run) -> int:
        gone = RehearsalGoneError("the rows that it judged are no longer kept: run it again")
        if rehearsal.rehearsal_path is None:
            raise gone
        try:
            return await self.intake.storage.size_bytes(rehearsal.rehearsal_path)
        except ObjectMissingError as exc:
            raise gone from exc


async def _nothing_to_check(_contract: TableContract | None) -> None:
    """The worker compares the table with the one of the dry run, under its lock."""
