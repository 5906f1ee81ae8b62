"""How each kind of import is loaded; a new kind is one more entry."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from services.ingest.domain import ImportKind, Outcome
from services.ingest.errors import ObjectMissingError
from services.ingest.load.into_catalog import load_into_catalog
from services.ingest.load.load import load_source
from services.ingest.read.formats import opened
from services.ingest.read.source import Source
from services.ingest.storage import StoredFile
from services.ingest.work.attempt import Attempt

Load = Callable[[Attempt], Awaitable[Outcome]]
"""Does the work of one attempt. It makes its own success true through the attempt's fence, in
the transaction of its rows; a dry run only returns its outcome."""


async def load_table_file(attempt: Attempt) -> Outcome:
    """An uploaded file into a table."""
    return await load_source(await _source(attempt), attempt, attempt.run.options)


async def load_catalog_triples(attempt: Attempt) -> Outcome:
    """An uploaded file into the catalog."""
    run = attempt.run
    return await load_into_catalog(
        await _source(attempt),
        attempt,
        run.options,
        merge=partial(attempt.catalog.merge, run.id),
    )


async def _source(attempt: Attempt) -> Source:
    run = attempt.run
    return await opened(
        await upload_of(attempt), file_name=run.file_name or "upload", options=run.options
    )


async def upload_of(attempt: Attempt) -> StoredFile:
    """The run's upload; raises ObjectMissingError when it is no longer kept."""
    path = attempt.run.upload_path
    if path is None:
        raise ObjectMissingError("the file is no longer in storage")
    return StoredFile(attempt.storage, path, size_bytes=await attempt.storage.size_bytes(path))


LOADS: Mapping[ImportKind, Load] = {
    ImportKind.FILE: load_table_file,
    ImportKind.CATALOG_FILE: load_catalog_triples,
}
