import gzip
import re

import aiohttp
import pytest

PLAIN = {"Accept-Encoding": "identity"}


async def page_and_files(http: aiohttp.ClientSession) -> tuple[str, list[str]]:
    async with http.get("/app", headers=PLAIN) as answer:
        page = await answer.text()
    return page, re.findall(r'(?:src|href)="(/app/files/[^"]+)"', page)


@pytest.mark.parametrize(
    "path", ["/app", "/app/", "/app/imports/42", "/app/tables/a%2Fb", "/app/no/such/place/at/all"]
)
async def test_every_address_is_the_same_document(http: aiohttp.ClientSession, path: str) -> None:
    page, _ = await page_and_files(http)
    async with http.get(path, headers=PLAIN) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert await answer.text() == page


async def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(
    http: aiohttp.ClientSession,
) -> None:
    async with http.get("/app", headers=PLAIN) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert "://" not in page
    assert all(not body.strip() for body in re.findall(r"<script[^>]*>(.*?)</script>", page))
    assert not re.search(r"\s(on\w+|style)=", page)


async def test_the_document_is_asked_for_anew_and_sent_once(http: aiohttp.ClientSession) -> None:
    async with http.get("/app") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
        etag = answer.headers["ETag"]
    async with http.get("/app/tables", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
        assert "Content-Security-Policy" in answer.headers
    async with http.head("/app") as answer:
        assert answer.status == 200
        assert answer.headers["ETag"] == etag
        assert await answer.read() == b""


async def test_files_are_kept_for_good_under_an_address_of_their_version(
    http: aiohttp.ClientSession,
) -> None:
    _, files = await page_and_files(http)
    endings = {file.rpartition(".")[2] for file in files}
    assert endings == {"js", "css", "svg"}
    for file in files:
        async with http.get(file) as answer:
            assert answer.status == 200, file
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert gzip.decompress(await answer.read())


async def test_every_module_that_is_imported_is_preloaded(http: aiohttp.ClientSession) -> None:
    _, files = await page_and_files(http)
    modules = {file for file in files if file.endswith(".js")}
    base = next(iter(modules)).rpartition("/")[0]
    for module in modules:
        async with http.get(module, headers=PLAIN) as answer:
            text = await answer.text()
        for name in re.findall(r'^(?:import|export) .*?from "\./([^"]+)";$', text, re.MULTILINE):
            assert f"{base}/{name}" in modules, module


@pytest.mark.parametrize(
    "path",
    ["/app/files/main.js", "/app/files/x/main.js", "/app/files/..%2f__init__.py", "/app/files"],
)
async def test_no_other_file_is_given_away(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_the_page_only_knows_reading(http: aiohttp.ClientSession) -> None:
    async with http.post("/app/imports", data=b"x") as answer:
        assert answer.status == 405
