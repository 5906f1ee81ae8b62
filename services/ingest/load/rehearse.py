"""A dry run into a table that is not made: nothing but the cells can be wrong."""

from services.ingest.load.modes import Loaded
from services.ingest.load.readings import Readings, Seen
from shared.store.copying import ahead


async def rehearse(readings: Readings) -> Loaded:
    """What a load of these rows would do."""
    seen = Seen()
    async with ahead(readings.judged(seen)) as judged:
        async for _ in judged:
            pass
    return Loaded(seen, inserted=seen.rows - readings.report.rows)
