"""The profile of an import's rows, as it is kept."""

from dataclasses import dataclass
from datetime import datetime

from services.ingest.domain.run import ImportId
from shared.contracts.ingest import Profile


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """A profile, and where the rows are."""

    import_id: ImportId
    finished_at: datetime
    profile: Profile
    table: str | None
    """What the table is called now; None where it is gone, or never was."""
    was_made: bool
    """False for a dry run into a table that it would have made."""
