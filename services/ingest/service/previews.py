"""Previews: a file, an upload or a database's rows looked at before anything is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from services.ingest.clients import RecordsClient
from services.ingest.connections.access import SourceAccess, trial
from services.ingest.connections.domain import Selection, SourceId
from services.ingest.connections.saved import SavedConnections
from services.ingest.domain.options import ImportOptions
from services.ingest.load.look import Look, Problem, look_at
from services.ingest.read.database import opened as opened_database
from services.ingest.read.errors import ChoiceNeededError, SheetNeededError
from services.ingest.read.formats import Contents, contents
from services.ingest.read.limits import MIB, Limits
from services.ingest.read.source import released
from services.ingest.service.receive import IncomingBody, UploadNamed
from services.ingest.service.uploads import Uploads, upload_id_of
from services.ingest.storage import Storage, StoredFile
from services.ingest.uploads.domain import Upload, UploadId
from services.ingest.uploads.errors import UploadIncompleteError
from shared.contracts.auth import Caller
from shared.contracts.records import TableContract
from shared.errors import ProblemError
from shared.process.places import Places

AT_ONCE = 2
"""So many looks in one process, one of them of a subject; each may hold some blocks of a file and a
reading process."""
WAIT_S = 30.0
LIMITS = Limits(block_bytes=MIB, reader_cpu_s=20)


@dataclass(frozen=True, slots=True)
class Preview:
    """A look, and what it was taken at."""

    look: Look
    upload: UploadId | None
    sheets: tuple[str, ...]
    members: tuple[str, ...]
    options: ImportOptions
    """With the sheet and member that were looked at."""


@dataclass(frozen=True, slots=True)
class PreviewWanted:
    """What a caller asks of a preview."""

    options: ImportOptions
    table: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Previews:
    """Looks at what could be imported."""

    storage: Storage
    uploads: Uploads
    records: RecordsClient
    saved: SavedConnections
    access: SourceAccess
    _places: Places = field(
        default_factory=lambda: Places(AT_ONCE, per_subject=1, wait_s=WAIT_S, what="previews")
    )

    async def of_file(
        self,
        caller: Caller,
        body: IncomingBody,
        read_fields: Callable[[Mapping[str, str]], PreviewWanted],
    ) -> Preview:
        """A look at a multipart body's file, or at the upload that it names.

        The file is kept as an upload unless it is refused. Raises as `of_upload`, `read_fields`
        and `Uploads.take_or_named`.
        """
        file = await self.uploads.take_or_named(caller, body)
        if isinstance(file, UploadNamed):
            upload_id = upload_id_of(file.upload_id)
            return await self.of_upload(caller, upload_id, read_fields(file.fields))
        upload, received = file
        try:
            return await self.of_upload(caller, upload.id, read_fields(received.fields))
        except ProblemError:
            await self.uploads.remove(caller, upload.id)  # whose id no answer tells
            raise

    async def of_upload(
        self, caller: Caller, upload_id: UploadId, wanted: PreviewWanted
    ) -> Preview:
        """A look at an upload; raises UploadNotFoundError, FileRefusedError, as records does."""
        contract = await self._contract(caller, wanted.table)
        upload = await self.uploads.look(caller, upload_id)
        async with self._places.one(caller.sub):
            return await self._looked(upload, wanted, contract)

    async def _looked(
        self, upload: Upload, wanted: PreviewWanted, contract: TableContract | None
    ) -> Preview:
        options, problems = wanted.options, list[Problem]()
        while True:
            try:
                found = await self._contents(upload, options, contract)
                break
            except ChoiceNeededError as exc:
                if not exc.choices:
                    raise
                if isinstance(exc, SheetNeededError):
                    options = replace(options, sheet=exc.choices[0])
                else:
                    options = replace(options, member=exc.choices[0])
                problems.append(Problem(None, None, exc.code, exc.detail))
        async with released(found.source) as source:
            look = await look_at(source, options, contract, rows=wanted.rows)
        return Preview(
            look=replace(look, problems=(*problems, *look.problems)),
            upload=upload.id,
            sheets=found.sheets,
            members=found.members,
            options=options,
        )

    async def of_database(
        self, caller: Caller, source_id: SourceId, selection: Selection, wanted: PreviewWanted
    ) -> Preview:
        """A look at a table or query of a saved connection; raises the source's reason."""
        contract = await self._contract(caller, wanted.table)
        login = await self.saved.login(caller, source_id)
        async with (
            self._places.one(caller.sub),
            trial(),
            opened_database(self.access, login, selection) as source,
        ):
            look = await look_at(source, wanted.options, contract, rows=wanted.rows)
        return Preview(look, None, (), (), wanted.options)

    async def _contract(self, caller: Caller, table: str | None) -> TableContract | None:
        return None if table is None else await self.records.contract(table, caller)

    async def _contents(
        self, upload: Upload, options: ImportOptions, contract: TableContract | None
    ) -> Contents:
        stored = upload.stored
        if stored is None:
            raise UploadIncompleteError(
                f"{upload.received_bytes} of {upload.size_bytes} bytes have come so far"
            )
        return await contents(
            StoredFile(self.storage, stored.path, stored.size_bytes),
            file_name=stored.file_name,
            options=options,
            contract=contract,
            limits=LIMITS,
        )
