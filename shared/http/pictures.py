"""SVG pictures as answers."""

from typing import Any, Final

from fastapi import Response

SVG: Final = "image/svg+xml"
# An SVG opened by itself is a page of our origin: it may draw, and nothing else.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
CONTENT: Final[dict[str, Any]] = {SVG: {"schema": {"type": "string"}}}
"""Of a response in OpenAPI."""


def picture_response(svg: str) -> Response:
    """The picture, to be shown or saved."""
    return Response(svg, media_type=SVG, headers=HEADERS)
