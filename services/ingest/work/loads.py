"""How each kind of import is loaded; a new kind is one more entry."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from services.ingest.domain import ImportKind, Outcome
from services.ingest.errors import ObjectMissingError
from services.ingest.load.into_catalog import load_catalog_file
from services.ingest.load.load import load_file
from services.ingest.work.attempt import Attempt, StoredUploadSource

Load = Callable[[Attempt], Awaitable[Outcome]]
"""Does the work of one attempt. It makes its own success true through the attempt's fence, in
the transaction of its rows; a dry run only returns its outcome."""


async def load_table_file(attempt: Attempt) -> Outcome:
    """An uploaded file into a table."""
    run = attempt.run
    return await load_file(
        await upload_of(attempt),
        attempt,
        file_name=run.file_name or "upload",
        options=run.options,
    )


async def load_catalog_triples(attempt: Attempt) -> Outcome:
    """An uploaded file into the catalog."""
    run = attempt.run
    return await load_catalog_file(
        await upload_of(attempt),
        attempt,
        merge=partial(attempt.catalog.merge, run.id),
        file_name=run.file_name or "upload",
        options=run.options,
    )


async def upload_of(attempt: Attempt) -> StoredUploadSource:
    """The run's upload; raises ObjectMissingError when it is no longer kept."""
    path = attempt.run.upload_path
    if path is None:
        raise ObjectMissingError("the file is no longer in storage")
    return StoredUploadSource(
        attempt.storage, path, size_bytes=await attempt.storage.size_bytes(path)
    )


LOADS: Mapping[ImportKind, Load] = {
    ImportKind.FILE: load_table_file,
    ImportKind.CATALOG_FILE: load_catalog_triples,
}
