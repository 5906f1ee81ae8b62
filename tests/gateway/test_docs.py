import gzip
import re

import aiohttp
import pytest

from tests.gateway.peers import FakeService


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/tables", "/docs/tables/Customer"])
async def test_pages_name_no_other_host_and_hold_no_script(
    http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(path) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "://" not in page
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert all(not body.strip() for body in re.findall(r"<script[^>]*>(.*?)</script>", page))
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        async with http.get(address, headers={"Accept-Encoding": "identity"}) as asset:
            assert asset.status == 200, address
            assert len(await asset.read()) > 0


async def test_assets_are_compressed_and_kept(http: aiohttp.ClientSession) -> None:
    async with http.get("/docs/swagger-ui-bundle.js") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"SwaggerUIBundle" in gzip.decompress(await answer.read())
        etag = answer.headers["ETag"]
    async with http.get("/docs/swagger-ui-bundle.js", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
        assert await answer.read() == b""


@pytest.mark.parametrize("path", ["/docs/__init__.py", "/docs/..%2fmain.py", "/docs/x/y"])
async def test_no_other_file_is_given_away(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_the_front_door_leads_to_the_documentation(http: aiohttp.ClientSession) -> None:
    async with http.get("/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, "/docs")
    async with http.get("/favicon.ico") as answer:
        assert answer.content_type == "image/png"


@pytest.mark.parametrize(
    ("accept", "location"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "/app"),
        ("Text/HTML", "/app"),
        ("application/json", "/docs"),
        ("*/*", "/docs"),
    ],
)
async def test_the_front_door_leads_browsers_to_the_page(
    http: aiohttp.ClientSession, accept: str, location: str
) -> None:
    async with http.get("/", allow_redirects=False, headers={"Accept": accept}) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, location)
        assert answer.headers["Vary"] == "Accept"


async def test_own_paths_only_know_reading(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    async with http.post("/docs", data=b"x") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"
    async with http.head("/docs") as answer:
        assert answer.status == 200
