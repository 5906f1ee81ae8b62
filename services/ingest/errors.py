"""Causes of failure that only imports know; each has a stable code."""

from shared.errors import ConflictError, InvalidInputError, ProblemError, TooLargeError


class FencedOutError(Exception):
    """This attempt lost its lease: another worker has the import, nothing of ours was loaded."""


class ImportFailedError(ProblemError):
    """An import ends as `failed`, with this as its `error`."""

    status = 422
    code = "import_failed"
    title = "The import failed"


class FileRefusedError(InvalidInputError):
    """The file as a whole cannot be read: refused at upload where seen there, else `failed`."""

    code = "file_refused"
    title = "The file cannot be read"


class BeingCommittedError(ConflictError):
    """Too late to cancel: the load has passed its fence."""

    code = "being_committed"


class StateForbidsError(ConflictError):
    """The import is in a state in which this cannot be done."""

    code = "state_forbids"


class AlreadyQueuedError(ConflictError):
    """The same import is queued or running already."""

    code = "already_queued"


class UploadGoneError(ConflictError):
    """The file is no longer kept, so the import cannot be tried again."""

    code = "upload_gone"


class TableExistsError(ConflictError):
    """`create_table` names a table that exists."""

    code = "table_exists"


class RequestKeyReusedError(InvalidInputError):
    """An `Idempotency-Key` was sent before, with another body."""

    code = "idempotency_key_reused"


class UploadTooLargeError(TooLargeError):
    """The file is over the upload limit."""

    code = "upload_too_large"


class UploadCutShortError(ProblemError):
    """The body ended before the last boundary; nothing of it was kept."""

    status = 400
    code = "upload_incomplete"
    title = "The upload is not complete"


class AttemptsExhaustedError(ImportFailedError):
    """The import was tried as often as allowed and never reached its end."""

    code = "attempts_exhausted"
