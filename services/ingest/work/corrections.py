"""The load of a correction: the corrected file, beside the report of what was refused."""

from services.ingest.domain.options import FileFormat, ImportOptions, Mode
from services.ingest.domain.outcome import Outcome
from services.ingest.domain.run import Run
from services.ingest.errors import ObjectMissingError
from services.ingest.load.correction import First, correct
from services.ingest.load.reading import READING
from services.ingest.read.formats import opened
from services.ingest.read.source import Source, released
from services.ingest.runs import corrections, submitted
from services.ingest.storage import Storage, StoredFile
from services.ingest.work.attempt import Attempt

REPORT = ImportOptions(
    format=FileFormat.CSV,
    delimiter=",",
    quote='"',
    encoding="utf-8",
    header_line="1",
    trim="none",
)
"""How a report of refused rows is read, whatever is in its cells."""
JSON = (FileFormat.JSON, FileFormat.NDJSON)


async def load_correction(attempt: Attempt) -> Outcome:
    """Refused rows of an import, corrected, as rows of that import.

    Raises ObjectMissingError where the refused rows are no longer kept, and as `correct`.
    """
    run, pool = attempt.run, attempt.bookkeeping
    corrected = await _import(attempt, run.follows)
    first = await _import(attempt, run.rows_of)
    reading = await corrections.reading(pool, first.id)
    if reading is None or corrected.rejects_path is None or run.upload_path is None:
        raise ObjectMissingError("what the import refused is no longer kept")
    file = await opened(
        await _stored(attempt.storage, run.upload_path),
        file_name=run.file_name or "corrections",
        options=run.options,
    )
    from_json = first.format is not None and first.format.name in JSON
    async with released(file):
        return await correct(
            file,
            First(
                reading=READING.validate_json(reading),
                rejects=await report(attempt.storage, corrected.rejects_path),
                ledger=corrections.Lines(first.id, corrected.id, run.id),
                keeps_absent=from_json and run.options.mode is Mode.UPSERT,
            ),
            attempt,
            run.options,
        )


async def report(storage: Storage, path: str) -> Source:
    """A report of refused rows as a source."""
    return await opened(await _stored(storage, path), file_name="rejects.csv", options=REPORT)


async def _import(attempt: Attempt, import_id: int | None) -> Run:
    run = None
    if import_id is not None:
        run = await submitted.into_a_table(attempt.bookkeeping, import_id)
    if run is None:
        raise ObjectMissingError("the import that this corrects is no longer kept")
    return run


async def _stored(storage: Storage, path: str) -> StoredFile:
    return await storage.file(path)
