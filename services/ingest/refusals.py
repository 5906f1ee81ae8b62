"""Why a whole file, or a whole load, is refused; one class per cause, each with a stable code.

A refusal seen at upload is answered with its status; seen later it is the run's `error`.
"""

from services.ingest.errors import FileRefusedError, ImportFailedError
from shared.contracts.problem import FieldError


class EmptyFileError(FileRefusedError):
    """There is nothing in the file, not even a header."""

    code = "empty_file"
    title = "The file is empty"


class WrongFileKindError(FileRefusedError):
    """The bytes are those of another kind of file, which the message names."""

    code = "wrong_file_kind"
    title = "The file is of another kind"


class EncodingNeededError(FileRefusedError):
    """The encoding cannot be told without risk; the message shows a sample in each candidate."""

    code = "encoding_needed"
    title = "Name the file's encoding"


class UnknownEncodingError(FileRefusedError):
    """The encoding that was named is not one that can be read."""

    code = "unknown_encoding"
    title = "Unknown encoding"


class DamagedFileError(FileRefusedError):
    """A compressed or structured file breaks off or is broken."""

    code = "damaged_file"
    title = "The file is damaged"


class BombError(FileRefusedError):
    """The file grows beyond all measure when it is decompressed."""

    code = "decompression_bomb"
    title = "The file grows too large when decompressed"


class RecordTooLargeError(FileRefusedError):
    """The header, or one element of a JSON file, is larger than any record may be."""

    code = "record_too_large"
    title = "A record is too large"


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


class RowRefusedError(ImportFailedError):
    """`on_error=abort`, and a row was bad."""

    code = "row_refused"
    title = "A row was refused"


class TooManyErrorsError(ImportFailedError):
    """More rows were refused than `max_errors` allows."""

    code = "too_many_errors"
    title = "Too many rows were refused"


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


class TableBusyError(ImportFailedError):
    """Other writers kept getting in the way."""

    status = 409
    code = "table_busy"
    title = "The table is busy"
