"""`/app`: the page for people, out of the package `web`; a client of the public API.

Every address below `/app` is the same document, whose script shows what the address names. Its
files lie under an address that holds their version, so browsers keep them for good and never mix
two versions.
"""

import asyncio
import hashlib
import importlib.resources
from dataclasses import dataclass
from functools import cache

from gateway.assets import FOR_GOOD, PAGE_HEADERS, Asset, send_asset
from gateway.incoming import Incoming
from gateway.process import GatewayState
from gateway.reply import Reply
from shared.errors import NotFoundError

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing from elsewhere, nothing inline, and no text ever becomes markup or script."""

_HEADERS = {**PAGE_HEADERS, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
_FILES = "/app/files/"
_MEDIA_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_DOCUMENT = "index.html"


@dataclass(frozen=True)
class Page:
    """The document, and its files by their whole address."""

    document: Asset
    files: dict[str, Asset]


async def page(_state: GatewayState, incoming: Incoming, reply: Reply) -> None:
    """The document, or one of its files."""
    # The first request reads and compresses all of them, which the event loop does not wait for.
    shown = await asyncio.to_thread(_page)
    if not f"{incoming.path}/".startswith(_FILES):
        await send_asset(incoming, reply, shown.document, _HEADERS)
        return
    asset = shown.files.get(incoming.path)
    if asset is None:
        raise NotFoundError("the page has no such file, or no longer: reload it")
    await send_asset(incoming, reply, asset, {"Cache-Control": FOR_GOOD})


@cache
def _page() -> Page:
    folder = importlib.resources.files("web")
    read = {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name == _DOCUMENT or entry.name.rpartition(".")[2] in _MEDIA_TYPES
    }
    document = read.pop(_DOCUMENT).decode()
    every = b"".join(name.encode() + b"\0" + body + b"\0" for name, body in read.items())
    base = f"{_FILES}{hashlib.sha256(every).hexdigest()[:16]}/"
    modules = "".join(
        f'<link rel="modulepreload" href="{base}{name}">\n' for name in read if name.endswith(".js")
    )
    document = document.replace("{base}", base).replace("{modules}", modules)
    return Page(
        document=Asset.of(document.encode(), "text/html; charset=utf-8"),
        files={
            base + name: Asset.of(body, _MEDIA_TYPES[name.rpartition(".")[2]])
            for name, body in read.items()
        },
    )


APP_PATHS = {"/app": page, "/app/**": page}
