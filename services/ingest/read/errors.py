"""Why a file or a source cannot be read, one class per cause, each with a stable code."""

from services.ingest.errors import FileRefusedError


class WrongFileKindError(FileRefusedError):
    """The bytes are those of another kind of file, which the message names."""

    code = "wrong_file_kind"
    title = "The file is of another kind"


class EncodingNeededError(FileRefusedError):
    """Several encodings are possible; the message shows a sample in each candidate."""

    code = "encoding_needed"
    title = "Name the file's encoding"


class UnknownEncodingError(FileRefusedError):
    """The encoding that was named is not one that can be read."""

    code = "unknown_encoding"
    title = "Unknown encoding"


class DelimiterNeededError(FileRefusedError):
    """More than one delimiter fits; the message shows the first rows in each reading."""

    code = "delimiter_needed"
    title = "Name the file's delimiter"


class HeaderDoubtfulError(FileRefusedError):
    """What should be the header looks like a row."""

    code = "header_doubtful"
    title = "The file may have no header"


class RecordPathNeededError(FileRefusedError):
    """A JSON document has several arrays of records; the message names their paths."""

    code = "record_path_needed"
    title = "Name where the records are"


class EncodingContradictedError(FileRefusedError):
    """The bytes are valid UTF-8, and not what the caller named."""

    code = "encoding_contradicted"
    title = "The file is in UTF-8"


class DamagedFileError(FileRefusedError):
    """A compressed or structured file breaks off or is broken."""

    code = "damaged_file"
    title = "The file is damaged"


class BombError(FileRefusedError):
    """The file grows beyond all measure when it is decompressed."""

    code = "decompression_bomb"
    title = "The file grows too large when decompressed"


class EncryptedFileError(FileRefusedError):
    """The file opens with a password alone."""

    code = "encrypted_file"
    title = "The file is encrypted"


class NestedArchiveError(FileRefusedError):
    """What is packed in the file is packed once more."""

    code = "nested_archive"
    title = "The file is packed twice"


class ChoiceNeededError(FileRefusedError):
    """A file holds several things that can be loaded; an option names one of the choices."""

    choices: tuple[str, ...] = ()


class MemberNeededError(ChoiceNeededError):
    """An archive holds several files that can be loaded."""

    code = "member_needed"
    title = "Name the file in the archive"


class UnknownMemberError(FileRefusedError):
    """The archive holds no such file."""

    code = "unknown_member"
    title = "The archive has no such member"


class UnsafeMemberError(FileRefusedError):
    """A member of an archive is a link, or its name leads out of the archive."""

    code = "unsafe_member"
    title = "The member of the archive is not read"


class SheetNeededError(ChoiceNeededError):
    """A workbook has several sheets with cells."""

    code = "sheet_needed"
    title = "Name the sheet"


class UnknownSheetError(FileRefusedError):
    """The workbook has no such sheet."""

    code = "unknown_sheet"
    title = "The workbook has no such sheet"


class UnsupportedColumnError(FileRefusedError):
    """A column is of a type that no column of a table can hold."""

    code = "unsupported_column"
    title = "A column cannot be read"


class RecordTooLargeError(FileRefusedError):
    """The header, or one element of a JSON file, is larger than any record may be."""

    code = "record_too_large"
    title = "A record is too large"
