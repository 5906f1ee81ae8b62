"""Files that browsers ask for: read once, compressed once, sent with their ETag."""

import gzip
import hashlib
import importlib.resources
from dataclasses import dataclass

from gateway.incoming import Incoming
from gateway.reply import Reply

FOR_AN_HOUR = "public, max-age=3600"
FOR_GOOD = "public, max-age=31536000, immutable"
"""For addresses that name the version of what they show."""

PAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Of every page; a page adds the policy of its own content."""


@dataclass(frozen=True)
class Asset:
    """A file, plain and compressed."""

    plain: bytes
    compressed: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, plain: bytes, media_type: str) -> "Asset":
        """With the ETag of its bytes."""
        return cls(
            plain=plain,
            compressed=gzip.compress(plain, mtime=0),
            media_type=media_type,
            etag=f'"{hashlib.sha256(plain).hexdigest()[:32]}"',
        )

    @classmethod
    def in_package(cls, package: str, name: str, media_type: str) -> "Asset":
        """A file beside a package's modules."""
        return cls.of(importlib.resources.files(package).joinpath(name).read_bytes(), media_type)


async def send_asset(
    incoming: Incoming, reply: Reply, asset: Asset, headers: dict[str, str]
) -> None:
    """Send a file, or 304 to whoever has it; `headers` say how long it may be kept."""
    sent = {
        "X-Content-Type-Options": "nosniff",
        **headers,
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }
    if incoming.if_none_match == asset.etag:
        await reply.whole(304, b"", media_type=asset.media_type, headers=sent)
        return
    body = asset.plain
    if incoming.accepts_gzip:
        body = asset.compressed
        sent["Content-Encoding"] = "gzip"
    await reply.whole(200, body, media_type=asset.media_type, headers=sent)
