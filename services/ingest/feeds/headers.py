"""The headers that a feed sends to its server: checked, and sealed with the feed's row."""

import json
import re
from collections.abc import Mapping

from services.ingest.errors import PasswordGoneError
from services.ingest.feeds.domain import Feed, FeedId
from services.ingest.feeds.errors import FeedInvalidError
from shared.security.sealing import Keyring, SealBrokenError

MASK = "***"
"""What stands in answers for a value; sent back, it keeps the value."""
HEADERS_LIMIT = 20
VALUE_LIMIT = 4_096
OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "if-modified-since"}
    | {"if-none-match", "range", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""What the client of a feed says itself."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def feed_row(feed_id: FeedId) -> str:
    """What headers are sealed with: the row of the feed."""
    return f"ingest.feeds:{feed_id}"


def merged(given: Mapping[str, str], former: Mapping[str, str]) -> dict[str, str]:
    """The headers as given, a masked value being the former one; raises FeedInvalidError."""
    if len(given) > HEADERS_LIMIT:
        raise FeedInvalidError.of(
            "from.headers", "too_many", f"a feed sends at most {HEADERS_LIMIT} headers"
        )
    known = {name.lower(): value for name, value in former.items()}
    whole: dict[str, str] = {}
    for name, value in given.items():
        where = f"from.headers.{name}"
        if not _NAME.fullmatch(name) or name.lower() in OURS:
            raise FeedInvalidError.of(where, "invalid_header", "this header cannot be set")
        if value == MASK:
            if name.lower() not in known:
                raise FeedInvalidError.of(where, "value_needed", "give the value of the header")
            whole[name] = known[name.lower()]
            continue
        if len(value) > VALUE_LIMIT or not _VALUE.fullmatch(value):
            raise FeedInvalidError.of(
                where, "invalid_header", f"a value is 1 to {VALUE_LIMIT:,} printable characters"
            )
        whole[name] = value
    return whole


def sealed(keyring: Keyring, feed_id: FeedId, headers: Mapping[str, str]) -> bytes:
    """Headers as the row keeps them."""
    return keyring.seal(json.dumps(dict(headers)), row=feed_row(feed_id))


def opened(keyring: Keyring, feed: Feed) -> dict[str, str]:
    """The headers of a feed; raises PasswordGoneError when they cannot be opened."""
    try:
        text = keyring.open(feed.sealed_headers or b"", row=feed_row(feed.id))
    except SealBrokenError as exc:
        raise PasswordGoneError(f"{exc}: give the headers of the feed again") from exc
    headers: dict[str, str] = json.loads(text)
    return headers
