"""Corrections: refused rows of an import, corrected, queued to enter as rows of that import."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.ingest.domain.options import (
    FileFormat,
    ImportKind,
    ImportOptions,
    Mode,
    OnError,
    OnNewColumn,
)
from services.ingest.domain.run import ImportRequest, Run, State, StoredUpload, Submission
from services.ingest.errors import (
    NoSuchRejectError,
    ObjectMissingError,
    StateForbidsError,
)
from services.ingest.load.corrected_file import LINE
from services.ingest.load.reading import READING, Reading
from services.ingest.runs import corrections
from services.ingest.service.control import ImportControl
from services.ingest.service.intake import Intake
from services.ingest.service.receive import IncomingBody, receive
from services.ingest.storage import UPLOADS
from shared.contracts.auth import Caller
from shared.contracts.problem import FieldError
from shared.contracts.records import TableContract
from shared.errors import InvalidInputError, ProblemError
from shared.values.numbers import json_text

ReadOptions = Callable[[Mapping[str, str]], ImportOptions]
"""Form fields to how the corrected file is read; raises InvalidInputError."""


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """A refused row by its line, and what is to stand in it instead."""

    line: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Corrections:
    """Takes corrections in."""

    intake: Intake
    control: ImportControl

    async def submit_file(
        self,
        caller: Caller,
        import_id: int,
        body: IncomingBody,
        read_options: ReadOptions,
        *,
        request_key: str | None,
    ) -> Run:
        """Store a corrected file and queue it, or return the same one queued or running.

        Raises as `receive`, `Intake.queue` and `_correctable`; nothing is kept then.
        """
        corrected, _reading = await self._correctable(caller, import_id)
        file = await receive(self.intake.storage, body, limit_bytes=self.intake.upload_limit_bytes)
        try:
            options = read_options(file.fields)
        except ProblemError:
            await self.intake.storage.delete(file.upload.path)
            raise
        return await self._queue(caller, corrected, options, file.upload, request_key)

    async def submit_rows(
        self,
        caller: Caller,
        import_id: int,
        rows: Sequence[CorrectedRow],
        *,
        request_key: str | None,
    ) -> Run:
        """Queue corrected rows, as a file of theirs.

        Raises NoSuchRejectError, InvalidInputError for a column that the import had not, and as
        `submit_file`.
        """
        corrected, reading = await self._correctable(caller, import_id)
        _refuse_unknown_columns(rows, reading)
        lines = [row.line for row in rows]
        strange = await corrections.not_refused(self.intake.pool, corrected, lines)
        if strange:
            raise NoSuchRejectError.of_lines(strange[:10], len(strange))
        upload = await self._stored(rows)
        options = ImportOptions(format=FileFormat.NDJSON)
        return await self._queue(caller, corrected, options, upload, request_key)

    async def _correctable(self, caller: Caller, import_id: int) -> tuple[Run, Reading]:
        """The import to be corrected and how it read its rows.

        Raises NotFoundError, StateForbidsError unless it loaded rows, NoSuchRejectError where it
        refused none, ObjectMissingError where they are no longer kept.
        """
        run = await self.control.look(caller, import_id)
        if run.table is None or run.kind is ImportKind.UNDO:
            raise StateForbidsError("the import has no refused rows of a table")
        if run.options.dry_run:
            raise StateForbidsError("a dry run has loaded nothing: commit it, then correct that")
        if run.state is not State.SUCCEEDED:
            raise StateForbidsError(
                f"the import is {run.state.value} and has loaded nothing: correct the file, and"
                " import that"
            )
        if run.undone is not None:
            raise StateForbidsError("the import was taken back")
        if not run.rows.rejected and not run.rows.corrected:
            raise NoSuchRejectError("the import refused no row")
        reading = await corrections.reading(self.intake.pool, run.rows_of or run.id)
        if run.rejects_path is None or reading is None:
            raise ObjectMissingError("what the import refused is no longer kept")
        return run, READING.validate_json(reading)

    async def _stored(self, rows: Sequence[CorrectedRow]) -> StoredUpload:
        content = await asyncio.to_thread(_as_ndjson, rows)
        path = f"{UPLOADS}{uuid.uuid4().hex}"

        async def whole() -> AsyncIterator[bytes]:
            yield content

        await self.intake.storage.put(path, whole())
        digest = (await asyncio.to_thread(hashlib.sha256, content)).hexdigest()
        return StoredUpload(path, "corrections.ndjson", len(content), digest)

    async def _queue(
        self,
        caller: Caller,
        corrected: Run,
        reading: ImportOptions,
        upload: StoredUpload,
        request_key: str | None,
    ) -> Run:
        submission = Submission.of(
            ImportRequest(
                kind=ImportKind.CORRECTION,
                options=_options(corrected.options, reading),
                table=corrected.table,
                follows=corrected.id,
                rows_of=corrected.rows_of or corrected.id,
            ),
            caller=caller,
            evidence=[upload.sha256],
            upload=upload,
            request_key=request_key,
        )
        try:
            run = await self.intake.queue(submission, check=_nothing_to_check)
        except ProblemError:
            await self.intake.storage.delete(upload.path)
            raise
        if run.upload_path != upload.path:
            await self.intake.storage.delete(upload.path)
        return run


def _as_ndjson(rows: Sequence[CorrectedRow]) -> bytes:
    return "\n".join(json_text({LINE: row.line, **row.values}) for row in rows).encode()


def _options(first: ImportOptions, reading: ImportOptions) -> ImportOptions:
    """How a correction is read, and what becomes of its rows: as the first import's did."""
    return replace(
        reading,
        mode=Mode.UPSERT if first.mode is Mode.UPSERT else Mode.APPEND,
        key=first.key,
        on_error=OnError.SKIP,
        null_values=first.null_values,
        date_format=first.date_format,
        century_from=first.century_from,
        decimal=first.decimal,
        thousands=first.thousands,
        numbers=first.numbers,
        on_duplicate=first.on_duplicate,
        on_blank=first.on_blank,
        on_new_column=OnNewColumn.REFUSE,
    )


def _refuse_unknown_columns(rows: Sequence[CorrectedRow], reading: Reading) -> None:
    errors = [
        FieldError(
            field=f"rows[{at}].values.{name}",
            code="unknown_column",
            message="the import had no such column",
        )
        for at, row in enumerate(rows)
        for name in row.values
        if reading.named(name) is None
    ]
    if errors:
        raise InvalidInputError.of_fields(errors)


async def _nothing_to_check(_contract: TableContract | None) -> None:
    """The worker compares the lines with those that were refused."""
