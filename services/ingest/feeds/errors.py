"""Causes of failure that only feeds know."""

from services.ingest.errors import ImportFailedError
from shared.errors import ConflictError, InvalidInputError


class FeedExistsError(ConflictError):
    """The name of a new feed is taken."""

    code = "feed_exists"


class TooManyFeedsError(ConflictError):
    """The caller has as many feeds as one may."""

    code = "too_many_feeds"


class FeedChangedMeanwhileError(ConflictError):
    """Another request changed the feed at the same moment."""

    code = "feed_changed"


class FeedInvalidError(InvalidInputError):
    """A part of a feed's settings that cannot work."""

    code = "invalid_feed"
    title = "The feed cannot work"


class NotLikeError(ConflictError):
    """An import out of which no feed can be made."""

    code = "import_not_repeatable"


class FeedRemovedError(ImportFailedError):
    """The feed was removed while its run was waiting or working."""

    code = "feed_removed"


class FeedOutdatedError(ImportFailedError):
    """The feed was changed after its run was queued."""

    code = "feed_outdated"


class FileAwayError(ImportFailedError):
    """The file of a feed could not be fetched; trying again may help."""

    code = "file_away"
    title = "The file cannot be fetched"


class PullFailedError(ImportFailedError):
    """The file of a feed cannot be fetched, and trying again does not help."""

    code = "pull_failed"
    title = "The file cannot be fetched"


class ExpectationFailedError(ImportFailedError):
    """The rows are not what the feed expects; nothing was loaded."""

    code = "expectation_failed"
    title = "The rows are not what the feed expects"


class CursorColumnError(ImportFailedError):
    """The column of an incremental feed is gone, or of another type."""

    code = "cursor_column"
