"""Why a resumable upload is refused, one class per cause, each with a stable code."""

from shared.errors import (
    ConflictError,
    NotFoundError,
    ProblemError,
)


class UploadNotFoundError(NotFoundError):
    """The caller has no such upload, or it has expired."""

    code = "upload_not_found"


class UploadIncompleteError(ConflictError):
    """A part of the upload is still to come."""

    code = "upload_unfinished"


class OffsetMismatchError(ConflictError):
    """The upload goes on at another offset."""

    code = "offset_mismatch"


class TooManyUploadsError(ConflictError):
    """The caller has as many uploads as one may have."""

    code = "too_many_uploads"


class ChecksumMismatchError(ProblemError):
    """The bytes of a request were changed on their way; none of them was kept."""

    status = 460
    code = "checksum_mismatch"
    title = "Checksum mismatch"


class TusVersionError(ProblemError):
    """The request speaks another version of the upload protocol."""

    status = 412
    code = "tus_version"
    title = "Another version of tus"


class UploadMediaTypeError(ProblemError):
    """The body of an upload is of another media type."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"
