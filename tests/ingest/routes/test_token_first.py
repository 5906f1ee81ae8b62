"""Who calls without a good token gets an answer before a byte of the body is there."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.ingest.driving import ANN, Ingest

HALF = b'{"upload": '


async def answer_to_half_a_body(ingest: Ingest, path: str, *headers: str) -> bytes:
    """The status line and head that come although the body does not go on."""
    address = urlsplit(str(ingest.http.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {address.netloc}",
        "Content-Type: application/json",
        "Content-Length: 1000",
        *headers,
    )
    try:
        writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + HALF)
        await writer.drain()
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/api/imports", "/api/imports/database", "/api/sources"])
@pytest.mark.parametrize("header", ["X-None: here", "Authorization: Bearer not.a.token"])
async def test_the_token_is_checked_before_the_body(ingest: Ingest, path: str, header: str) -> None:
    head = await answer_to_half_a_body(ingest, path, header)
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: bearer" in head.lower()


async def test_with_a_token_the_body_is_waited_for(ingest: Ingest) -> None:
    token = ingest.issuer.bearer(ANN)["Authorization"]
    waiting = asyncio.create_task(
        answer_to_half_a_body(ingest, "/api/imports", f"Authorization: {token}")
    )
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    waiting.cancel()
