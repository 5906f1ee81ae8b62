"""Causes of failure that only imports know; each has a stable code."""

from shared.errors import InvalidInputError, ProblemError


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
