"""What an upload is."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from services.ingest.domain.run import StoredUpload

UploadId = NewType("UploadId", UUID)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is kept until `expires_at`; complete once `stored` is there."""

    id: UploadId
    file_name: str
    size_bytes: int
    received_bytes: int
    pieces: tuple[str, ...]
    path: str | None
    sha256: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def stored(self) -> StoredUpload | None:
        """The whole file; None while a part of it is missing."""
        if self.path is None or self.sha256 is None:
            return None
        return StoredUpload(
            path=self.path,
            file_name=self.file_name,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
        )
