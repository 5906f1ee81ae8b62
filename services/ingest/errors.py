"""Causes of failure that only imports know, one class per cause, each with a stable code.

What is refused at upload is answered with its status; what is refused later is the run's `error`.
"""

from collections.abc import Sequence

from shared.contracts.problem import FieldError
from shared.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    ProblemError,
    TooLargeError,
    TooManyRequestsError,
    UnavailableError,
)


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


class NotUndoableError(ConflictError):
    """The import cannot be taken back (any more); the detail says why."""

    code = "not_undoable"


class EditedSinceError(ConflictError):
    """Records of the import were edited, deleted or overwritten since; `errors` names some."""

    code = "edited_since"


class KeyTakenError(ConflictError):
    """A record that an undo would bring back has a key that another record has by now."""

    code = "key_taken"


class UploadGoneError(ConflictError):
    """The file is no longer kept, so the import cannot be tried again."""

    code = "upload_gone"


class TableExistsError(ConflictError):
    """`create_table` names a table that exists."""

    code = "table_exists"


class TooManyStreamsError(TooManyRequestsError):
    """The caller follows as many imports as one may at once."""

    code = "too_many_streams"

    def __init__(self, limit: int) -> None:
        super().__init__(f"you follow {limit} imports already; end one of these streams first")


class QueueFullError(TooManyRequestsError):
    """The caller has as many imports waiting as one may."""

    code = "queue_full"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} of your imports wait already; send more when some of them are done",
            headers={"Retry-After": "30"},
        )


class RequestKeyReusedError(InvalidInputError):
    """An `Idempotency-Key` was sent before, with another body."""

    code = "idempotency_key_reused"


class OwnerNeededError(ForbiddenError):
    """The import would change the table's shape, which is its owners' to change."""

    code = "grant_missing"


class UploadTooLargeError(TooLargeError):
    """The file is over the upload limit."""

    code = "upload_too_large"


class UploadCutShortError(ProblemError):
    """The body ended before the last boundary; nothing of it was kept."""

    status = 400
    code = "upload_incomplete"
    title = "The upload is not complete"


class NotAllowedAnyMoreError(ImportFailedError):
    """Whoever asked for the import may not do it any more: disabled, demoted, lost the grant."""

    status = 403
    code = "not_allowed_any_more"
    title = "Not allowed any more"


class TookTooLongError(ImportFailedError):
    """The import was not done within the time that one attempt has."""

    code = "took_too_long"


class AttemptsExhaustedError(ImportFailedError):
    """The import was tried as often as allowed and never reached its end."""

    code = "attempts_exhausted"


class EmptyFileError(FileRefusedError):
    """There is nothing in the file, not even a header."""

    code = "empty_file"
    title = "The file is empty"


class HeaderError(FileRefusedError):
    """The header does not fit; `errors` names the columns."""

    code = "header_refused"
    title = "The header does not fit the table"

    @classmethod
    def of_columns(cls, detail: str, columns: list[str], message: str) -> "HeaderError":
        """The same thing is wrong with each of these columns."""
        return cls(
            detail,
            errors=[FieldError(field=name, code=cls.code, message=message) for name in columns],
        )


class UnknownColumnError(HeaderError):
    """The header names columns that the table does not have."""

    code = "unknown_column"


class DuplicateColumnError(HeaderError):
    """Two columns of the file have one name, or go into one column of the table."""

    code = "duplicate_column"


class EmptyColumnNameError(HeaderError):
    """A column of the file has no name."""

    code = "empty_column_name"


class IdColumnError(HeaderError):
    """The file brings its own `id`, and nobody said what is to become of it."""

    code = "id_column"


class MissingColumnError(HeaderError):
    """The file lacks a column that must not be null and has no default."""

    code = "missing_column"


class TooManyColumnsError(HeaderError):
    """More columns than a table can have."""

    code = "too_many_columns"


class OptionError(FileRefusedError):
    """An option does not fit the file or the table."""

    code = "invalid_option"
    title = "An option does not fit"


class TableChangedError(ImportFailedError):
    """The table was altered or replaced between the contract and the load."""

    status = 409
    code = "table_changed"
    title = "The table was changed meanwhile"


class NotAsRehearsedError(ImportFailedError):
    """The table is not as it was, or other rows would be loaded, than the dry run said."""

    status = 409
    code = "not_as_rehearsed"
    title = "It is not as it was rehearsed"


class AlreadyCommittedError(ConflictError):
    """What the dry run judged was loaded before."""

    code = "already_committed"


class RehearsalGoneError(ConflictError):
    """The rows that the dry run judged are no longer kept."""

    code = "rehearsal_gone"


class NoSuchRejectError(FileRefusedError):
    """A correction is of a line that the import never refused."""

    code = "no_such_reject"
    title = "No such row was refused"

    @classmethod
    def of_lines(cls, lines: Sequence[int], count: int) -> "NoSuchRejectError":
        """The first lines, and how many there are."""
        first = ", ".join(map(str, lines))
        more = f" and {count - len(lines)} more" if count > len(lines) else ""
        return cls(
            f"the import refused no row on line {first}{more}",
            errors=[
                FieldError(field=f"line {line}", code=cls.code, message="was not refused")
                for line in lines
            ],
        )


class CorrectionRefusedError(FileRefusedError):
    """The corrected file cannot be taken as a whole."""

    code = "correction_refused"
    title = "The correction cannot be taken"


class ImportUndoneError(ImportFailedError):
    """The import that a correction is of was taken back."""

    status = 409
    code = "import_undone"
    title = "The import was taken back"


class RowRefusedError(ImportFailedError):
    """`on_error=abort`, and a row was bad."""

    code = "row_refused"
    title = "A row was refused"


class TooManyErrorsError(ImportFailedError):
    """More rows were refused than `max_errors` allows."""

    code = "too_many_errors"
    title = "Too many rows were refused"


class NoRowFitsError(ImportFailedError):
    """Every row was refused."""

    code = "no_row_fits"
    title = "No row fits"


class NothingToReplaceWithError(ImportFailedError):
    """A replace without a row, which would empty the table."""

    code = "nothing_to_replace_with"
    title = "There is nothing to replace the rows with"


class RowTooWideError(ImportFailedError):
    """PostgreSQL cannot store a row of this size."""

    code = "row_too_wide"
    title = "A row is too wide for the database"


class ValueNotStoredError(ImportFailedError):
    """PostgreSQL refused a value that the type table lets through."""

    code = "value_not_stored"
    title = "The database refused a value"


class KeyNotInFileError(ImportFailedError):
    """A unique column is not in the file, and its default gives every row the same value."""

    code = "unique_default"
    title = "A unique column is missing from the file"


class ConstraintBrokenError(ImportFailedError):
    """A constraint that somebody made by SQL refuses a row."""

    code = "check_violation"
    title = "A constraint of the table refuses a row"


class DefaultReferenceError(ImportFailedError):
    """A column that is not in the file has a default that the referenced table has not."""

    code = "unknown_reference"
    title = "A default references what is not there"


class StillReferencedError(ImportFailedError):
    """Records of other tables reference rows that the import would delete or change."""

    code = "still_referenced"
    title = "Other records reference these"


class TableBusyError(ImportFailedError):
    """Other writers kept getting in the way."""

    status = 409
    code = "table_busy"
    title = "The table is busy"


class TableLockedError(TableBusyError):
    """Somebody holds a lock on the table that does not go together with this import."""


class ObjectMissingError(ProblemError):
    """Storage no longer has what an import's row names."""

    status = 410
    code = "object_missing"
    title = "No longer kept"


class StorageAwayError(UnavailableError):
    """Storage does not answer, or refuses; trying again later may help."""

    code = "storage_unavailable"


class PasswordGoneError(ImportFailedError):
    """The password of the source is not kept any more, or its key is not."""

    code = "password_gone"
