"""`/docs`: Swagger UI, over all calls or over one table's; nothing comes from another host.

The scripts and styles of Swagger UI come from the package `fastapi-swagger`, which
follows its releases; the two small scripts in `static/` start it.
"""

import asyncio
from functools import cache

from gateway.assets import FOR_AN_HOUR, PAGE_HEADERS, Asset, send_asset
from gateway.incoming import Incoming
from gateway.process import GatewayState
from gateway.reply import Reply
from shared.errors import NotFoundError

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""Swagger UI needs no inline script or style; its icons are `data:` images."""

_HEADERS = {**PAGE_HEADERS, "Content-Security-Policy": CONTENT_SECURITY_POLICY}

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tabularium API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
{above}<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/samples.js"></script>
<script src="/docs/{script}"></script>
</body>
</html>
"""

_TABLE_ABOVE = """\
<main class="sign-in">
<p><a href="/docs">All calls</a></p>
<section id="sign-in" hidden>
<h1>Tables</h1>
<p>A table's document is only for those who may see the table. Sign in to read it.</p>
<form id="by-password">
<h2>With a password</h2>
<label>User name or e-mail address <input name="username" autocomplete="username" required></label>
<label>Password
<input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button>
</form>
<form id="by-mail">
<h2>With a code by mail</h2>
<label>E-mail address
<input name="email" type="email" autocomplete="email" required></label>
<label hidden>Code of the mail <input name="code" autocomplete="one-time-code"></label>
<button type="submit">Send the code</button>
</form>
<form id="by-token">
<h2>With a token</h2>
<label>Access token or API key
<input name="token" type="password" autocomplete="off" required></label>
<button type="submit">Use the token</button>
</form>
</section>
<p id="message" role="status"></p>
<ul id="tables"></ul>
<form id="filters" hidden>
<label>Show a filter
<select><option value="">Choose a column and a comparison</option></select></label>
</form>
</main>
"""


_ASSETS = {
    "swagger-ui-bundle.js": ("fastapi_swagger.resources", "text/javascript; charset=utf-8"),
    "swagger-ui.css": ("fastapi_swagger.resources", "text/css; charset=utf-8"),
    "favicon-32x32.png": ("fastapi_swagger.resources", "image/png"),
    "page.css": ("gateway.static", "text/css; charset=utf-8"),
    "all.js": ("gateway.static", "text/javascript; charset=utf-8"),
    "samples.js": ("gateway.static", "text/javascript; charset=utf-8"),
    "table.js": ("gateway.static", "text/javascript; charset=utf-8"),
}


async def all_calls(_state: GatewayState, _incoming: Incoming, reply: Reply) -> None:
    """Swagger UI over the merged document."""
    await _page(reply, script="all.js", above="")


async def one_table(_state: GatewayState, _incoming: Incoming, reply: Reply) -> None:
    """Swagger UI over one table's document; without a name, the tables to choose from."""
    await _page(reply, script="table.js", above=_TABLE_ABOVE)


async def _page(reply: Reply, *, script: str, above: str) -> None:
    body = _PAGE.format(script=script, above=above).encode()
    await reply.whole(200, body, media_type="text/html; charset=utf-8", headers=_HEADERS)


async def asset(_state: GatewayState, incoming: Incoming, reply: Reply) -> None:
    """A script, style or icon, with an ETag."""
    await _send_asset(incoming, reply, incoming.path.rpartition("/")[2])


async def favicon(_state: GatewayState, incoming: Incoming, reply: Reply) -> None:
    """What browsers ask for by themselves."""
    await _send_asset(incoming, reply, "favicon-32x32.png")


async def front_door(_state: GatewayState, incoming: Incoming, reply: Reply) -> None:
    """`/` leads browsers, which ask for HTML, to the page, and programs to the documentation."""
    location = "/app" if incoming.accepts_html else "/docs"
    headers = {"Location": location, "Vary": "Accept"}
    await reply.whole(307, b"", media_type="text/plain", headers=headers)


async def _send_asset(incoming: Incoming, reply: Reply, name: str) -> None:
    if name not in _ASSETS:
        raise NotFoundError("the documentation has no such file")
    # Compressing Swagger UI takes a tenth of a second; the event loop does not wait for it.
    asset_ = await asyncio.to_thread(_asset, name)
    await send_asset(incoming, reply, asset_, {"Cache-Control": FOR_AN_HOUR})


@cache
def _asset(name: str) -> Asset:
    package, media_type = _ASSETS[name]
    return Asset.in_package(package, name, media_type)


DOCS_PATHS = {
    "/": front_door,
    "/favicon.ico": favicon,
    "/docs": all_calls,
    "/docs/tables": one_table,
    "/docs/tables/*": one_table,
    "/docs/*": asset,
}
