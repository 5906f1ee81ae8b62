"""Use cases of callers: saved sources, and imports from databases."""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ingest.connections import repository
from services.ingest.connections.access import SourceAccess, trial
from services.ingest.connections.crypto import UnreadablePasswordError, read_row, source_row
from services.ingest.connections.domain import Login, SourceId, Wanted
from services.ingest.connections.errors import SourceUnusableError
from services.ingest.connections.guard import host_name
from services.ingest.connections.repository import (
    TARGET,
    WANTED,
    Read,
    SavedSource,
)
from services.ingest.domain import ImportId, ImportKind, ImportOptions, Run, Submission
from services.ingest.plan.columns import checked_names, plan_columns
from services.ingest.plan.described import SourceColumn
from services.ingest.plan.described_columns import matched, new_table
from services.ingest.read.database import opened
from services.ingest.routes.schemas_of_connections import (
    CatalogDatabase,
    DatabaseImport,
    SourceTested,
)
from services.ingest.runs.row import OPTIONS
from services.ingest.service.intake import Intake
from shared.contracts.auth import Caller
from shared.contracts.records import TableContract
from shared.errors import NotFoundError
from shared.store.audit import record_event


@dataclass(frozen=True, slots=True)
class SavedSources:
    """The sources that callers keep."""

    engine: AsyncEngine
    access: SourceAccess

    async def add(self, name: str, login: Login, *, owner: Caller) -> SavedSource:
        """Keep a source, its password sealed.

        Raises SourceRefusedError for what is no host, SourceNameTakenError, SourcesNotSetUpError.
        """
        host_name(login.target.host)
        keyring = self.access.keyring
        async with self.engine.begin() as connection:
            source_id = await repository.next_id(connection)
            saved = await repository.save(
                connection,
                source_id,
                name=name,
                owner=owner,
                target=login.target,
                sealed_password=keyring.seal(login.password, row=source_row(source_id)),
            )
            await record_event(
                connection,
                subject=owner.sub,
                action="source.create",
                object_=f"source:{saved.id}",
                detail={"name": name, "target": login.target.label},
            )
        return saved

    async def page(self, *, viewer: Caller, after: int, limit: int) -> list[SavedSource]:
        """Sources that the caller may see, from behind the id `after`."""
        async with self.engine.connect() as connection:
            return await repository.page(connection, viewer=viewer, after=after, limit=limit)

    async def remove(self, source_id: int, *, viewer: Caller) -> None:
        """Forget a source; raises NotFoundError."""
        async with self.engine.begin() as connection:
            name = await repository.remove(connection, source_id, viewer=viewer)
            if name is None:
                raise _no_source(source_id)
            await record_event(
                connection,
                subject=viewer.sub,
                action="source.delete",
                object_=f"source:{source_id}",
                detail={"name": name},
            )

    async def login(self, source_id: int, *, viewer: Caller) -> Login:
        """The log-in that a source keeps; raises NotFoundError, SourceUnusableError."""
        async with self.engine.connect() as connection:
            saved = await repository.one(connection, source_id, viewer=viewer)
        if saved is None:
            raise _no_source(source_id)
        return Login(saved.target, opened_password(self.access, saved))

    async def test(self, source_id: int, *, viewer: Caller) -> SourceTested:
        """Log in to a source; raises NotFoundError, and the reason when it does not work."""
        login = await self.login(source_id, viewer=viewer)
        started = time.monotonic()
        async with trial():
            server = await self.access.greet(login)
        return SourceTested(
            server=server, duration_ms=round((time.monotonic() - started) * 1000, 1)
        )


@dataclass(frozen=True, slots=True)
class DatabaseIntake:
    """Takes imports from databases in; the log-in is tried before they are queued."""

    intake: Intake
    saved: SavedSources
    access: SourceAccess

    async def submit(
        self, wanted: DatabaseImport, *, caller: Caller, request_key: str | None
    ) -> Run:
        """Queue the import of a table or query, or find the same one queued or running.

        Raises NotFoundError for an unknown source, what records says of the table (403, 404),
        HeaderError when the columns do not fit, and within 10 s the source's reason.
        """
        source_id, login = await self._login(wanted, caller)
        submission = _submission(
            ImportKind.DATABASE,
            caller=caller,
            options=wanted.options(),
            table=wanted.into,
            etl_name=wanted.etl_name or login.target.label,
            email=wanted.email,
            request_key=request_key,
            login=login,
            wanted=wanted.wanted(),
        )

        async def check(contract: TableContract | None) -> None:
            async with trial(), opened(self.access, login, wanted.wanted()) as source:
                _check_columns(source.described, contract, submission.options)

        return await self._queue(
            submission, login=login, source_id=source_id, wanted=wanted.wanted(), check=check
        )

    async def submit_scan(
        self, wanted: CatalogDatabase, *, caller: Caller, request_key: str | None
    ) -> Run:
        """Queue the scan of a database for the catalog; raises as `submit`."""
        login = wanted.login()
        submission = _submission(
            ImportKind.CATALOG_DATABASE,
            caller=caller,
            options=ImportOptions(),
            table=None,
            etl_name=wanted.etl_name,
            email=wanted.email,
            request_key=request_key,
            login=login,
            wanted=None,
        )

        async def check(_contract: TableContract | None) -> None:
            async with trial():
                await self.access.greet(login)

        return await self._queue(submission, login=login, source_id=None, wanted=None, check=check)

    async def _login(self, wanted: DatabaseImport, caller: Caller) -> tuple[SourceId | None, Login]:
        if wanted.source is not None:
            return None, wanted.source.login()
        assert wanted.source_id is not None
        login = await self.saved.login(wanted.source_id, viewer=caller)
        return SourceId(wanted.source_id), login

    async def _queue(
        self,
        submission: Submission,
        *,
        login: Login,
        source_id: SourceId | None,
        wanted: Wanted | None,
        check: Callable[[TableContract | None], Awaitable[None]],
    ) -> Run:
        keyring = self.access.keyring
        run = await self.intake.known(submission)
        if run is None:
            await check(await self.intake.target(submission))

            async def keep(connection: AsyncConnection, import_id: ImportId) -> None:
                sealed = keyring.seal(login.password, row=read_row(import_id))
                read = Read(
                    source_id=source_id,
                    target=login.target,
                    sealed_password=None if source_id is not None else sealed,
                    wanted=wanted,
                )
                await repository.keep_read(connection, import_id, read)

            run = await self.intake.queue(submission, also=keep)
        await self.intake.wake(run.id)
        return run


def opened_password(access: SourceAccess, saved: SavedSource) -> str:
    """The password of a saved source; raises SourceUnusableError when its key is gone."""
    try:
        return access.keyring.open(saved.sealed_password, row=source_row(saved.id))
    except UnreadablePasswordError as exc:
        raise SourceUnusableError.of(
            "source_id", "password_unreadable", "the password cannot be opened; save it again"
        ) from exc


def _check_columns(
    described: Sequence[SourceColumn], contract: TableContract | None, options: ImportOptions
) -> None:
    if contract is None:
        new_table(described, options)
        return
    names = checked_names([column.name for column in described])
    plan_columns(names, contract, matched(described, contract, options))


def _no_source(source_id: int) -> NotFoundError:
    return NotFoundError(f"there is no source {source_id}")


def _submission(
    kind: ImportKind,
    *,
    caller: Caller,
    options: ImportOptions,
    table: str | None,
    etl_name: str,
    email: str | None,
    request_key: str | None,
    login: Login,
    wanted: Wanted | None,
) -> Submission:
    sameness = [
        kind.value,
        caller.sub,
        table,
        OPTIONS.dump_python(options, mode="json"),
        etl_name,
        email,
        TARGET.dump_python(login.target, mode="json"),
        None if wanted is None else WANTED.dump_python(wanted, mode="json"),
    ]
    return Submission(
        kind=kind,
        caller=caller,
        options=options,
        table=table,
        etl_name=etl_name,
        email=email,
        upload=None,
        idempotency_key=hashlib.sha256(json.dumps(sameness, sort_keys=True).encode()).hexdigest(),
        request_key=request_key,
    )
