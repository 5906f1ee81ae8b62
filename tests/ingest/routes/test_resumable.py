"""Uploads: whole, or piece by piece by tus, over connections that break; and imports of them."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from services.ingest.service import uploads
from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import person
from tests.support.waiting import until

CSV = b"name,age\nAnn,30\nBob,41\n"
BOB = person("bob@example.com")
PIECE = "application/offset+octet-stream"


def tus(ingest: Ingest, **headers: str) -> dict[str, str]:
    """The headers of a tus request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {**ingest.issuer.bearer(ANN), "Tus-Resumable": "1.0.0", **named}


async def begun(ingest: Ingest, size: int, name: str = "people.csv") -> str:
    """The path of an upload whose bytes are still to come."""
    metadata = f"filename {base64.b64encode(name.encode()).decode()},filetype dGV4dC9jc3Y="
    headers = tus(ingest, Upload_Length=str(size), Upload_Metadata=metadata)
    answer = await ingest.http.post("/api/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def patch(
    ingest: Ingest, path: str, data: "bytes | AsyncIterator[bytes]", offset: int, **headers: str
) -> httpx2.Response:
    """Bytes at an offset."""
    sent = tus(ingest, **{"Upload_Offset": str(offset), "Content_Type": PIECE, **headers})
    return await ingest.http.patch(path, content=data, headers=sent)


async def offset_of(ingest: Ingest, path: str) -> int:
    """Where an upload goes on."""
    answer = await ingest.http.head(path, headers=tus(ingest))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


async def test_a_whole_file_is_kept_and_imported_twice(working: Ingest) -> None:
    answer = await working.upload(CSV, path="/api/uploads", name="people.csv")
    assert answer.status_code == 201, answer.text
    upload = answer.json()
    assert answer.headers["location"] == f"/api/uploads/{upload['id']}"
    assert upload["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert (upload["size_bytes"], upload["received_bytes"]) == (len(CSV), len(CSV))
    form = {"upload": (None, upload["id"]), "table": (None, "people")}
    body = {"upload": upload["id"], "table": "people", "null_values": ["NA"]}
    bearer = working.issuer.bearer(ANN)
    for taken in (
        await working.http.post("/api/imports", headers=bearer, files=form),
        await working.http.post("/api/imports", headers=bearer, json=body),
    ):
        assert taken.status_code == 202, taken.text
        done = await working.finished(taken.json())
        assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 2), done["error"]
        assert done["etl_name"] == "people.csv"
    assert await working.count() == 4
    assert (await working.get(f"/api/uploads/{upload['id']}")).status_code == 200


async def test_pieces_make_a_file(working: Ingest) -> None:
    path = await begun(working, len(CSV), "Zoë.csv")
    at = 0
    for end in (5, 6, len(CSV)):
        answer = await patch(working, path, CSV[at:end], at)
        assert answer.status_code == 204, answer.text
        assert answer.headers["upload-offset"] == str(end)
        assert answer.headers["tus-resumable"] == "1.0.0"
        at = end
        assert await offset_of(working, path) == end
    upload = (await working.get(path)).json()
    assert upload["file_name"] == "Zoë.csv"
    assert upload["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert len(working.stored()) == 1  # the pieces are gone
    taken = await working.http.post(
        "/api/imports",
        headers=working.issuer.bearer(ANN),
        json={"upload": upload["id"], "table": "people"},
    )
    assert (await working.finished(taken.json()))["rows"]["loaded"] == 2


async def test_what_came_before_a_connection_broke_is_kept(ingest: Ingest) -> None:
    data = b"x" * (uploads.PIECE_BYTES + 1_000)
    path = await begun(ingest, len(data))
    sent = uploads.PIECE_BYTES + 500

    async def broken() -> AsyncIterator[bytes]:
        yield data[:sent]
        raise ConnectionResetError

    with pytest.raises((httpx2.HTTPError, ConnectionResetError)):
        await patch(ingest, path, broken(), 0)
    # The server notices a moment later.
    async with asyncio.timeout(30):
        while (at := await offset_of(ingest, path)) != sent:
            assert at <= sent
    answer = await patch(ingest, path, data[sent:], sent)
    assert answer.status_code == 204, answer.text
    upload = (await ingest.get(path)).json()
    assert upload["sha256"] == hashlib.sha256(data).hexdigest()


async def test_an_upload_goes_on_at_its_offset_alone(ingest: Ingest) -> None:
    path = await begun(ingest, 10)
    for offset in (1, 10):
        wrong = await patch(ingest, path, b"abc", offset)
        assert (wrong.status_code, wrong.json()["code"]) == (409, "offset_mismatch")
    both = await asyncio.gather(*(patch(ingest, path, b"abc", 0) for _ in range(4)))
    assert sorted(answer.status_code for answer in both) == [204, 409, 409, 409]
    assert await offset_of(ingest, path) == 3
    assert len(ingest.stored()) == 1
    too_much = await patch(ingest, path, b"x" * 8, 3)
    assert (too_much.status_code, too_much.json()["limit_bytes"]) == (413, 10)
    assert (await patch(ingest, path, b"x" * 7, 3)).status_code == 204
    assert (await patch(ingest, path, b"", 10)).status_code == 409


async def test_bytes_that_do_not_add_up_are_not_kept(ingest: Ingest) -> None:
    path = await begun(ingest, len(CSV))
    good = base64.b64encode(hashlib.sha1(CSV).digest()).decode()
    wrong = await patch(ingest, path, b"X" + CSV[1:], 0, Upload_Checksum=f"sha1 {good}")
    assert (wrong.status_code, wrong.json()["code"]) == (460, "checksum_mismatch")
    assert await offset_of(ingest, path) == 0
    assert ingest.stored() == []
    unknown = await patch(ingest, path, CSV, 0, Upload_Checksum=f"crc32 {good}")
    assert unknown.status_code == 422
    right = await patch(ingest, path, CSV, 0, Upload_Checksum=f"sha1 {good}")
    assert right.status_code == 204


async def test_an_upload_can_begin_with_its_bytes(ingest: Ingest) -> None:
    headers = tus(ingest, Upload_Length=str(len(CSV)), Content_Type=PIECE)
    answer = await ingest.http.post("/api/uploads", headers=headers, content=CSV)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(CSV)))
    empty = await begun(ingest, 0)
    assert (await ingest.get(empty)).json()["sha256"] == hashlib.sha256(b"").hexdigest()


async def test_the_protocol_is_told_and_held(ingest: Ingest) -> None:
    told = await ingest.http.options("/api/uploads")
    assert told.status_code == 204
    assert told.headers["tus-version"] == "1.0.0"
    assert "checksum" in told.headers["tus-extension"]
    path = await begun(ingest, 3)
    other = await ingest.http.head(path, headers=tus(ingest) | {"Tus-Resumable": "0.2.2"})
    assert (other.status_code, other.headers["tus-version"]) == (412, "1.0.0")
    typed = await patch(ingest, path, b"abc", 0, Content_Type="text/csv")
    assert typed.status_code == 415
    missing = await ingest.http.post("/api/uploads", headers=tus(ingest))
    assert [error["field"] for error in missing.json()["errors"]] == ["Upload-Length"]
    huge = await ingest.http.post("/api/uploads", headers=tus(ingest, Upload_Length=str(2**62)))
    assert (huge.status_code, huge.json()["code"]) == (413, "upload_too_large")


async def test_an_upload_is_its_owners_alone(ingest: Ingest) -> None:
    path = await begun(ingest, 3)
    bob: dict[str, Any] = {"headers": ingest.issuer.bearer(BOB)}
    assert (await ingest.http.get(path, **bob)).status_code == 404
    assert (await ingest.http.delete(path, **bob)).status_code == 404
    assert (await ingest.http.get("/api/uploads", **bob)).json()["items"] == []
    stolen = await ingest.http.post(
        "/api/imports", json={"upload": path.rpartition("/")[2], "table": "people"}, **bob
    )
    assert (stolen.status_code, stolen.json()["code"]) == (404, "upload_not_found")
    unfinished = await ingest.http.post(
        "/api/imports",
        json={"upload": path.rpartition("/")[2], "table": "people"},
        headers=ingest.issuer.bearer(ANN),
    )
    assert (unfinished.status_code, unfinished.json()["code"]) == (409, "upload_unfinished")
    listed = (await ingest.get("/api/uploads")).json()["items"]
    assert [f"/api/uploads/{upload['id']}" for upload in listed] == [path]
    await patch(ingest, path, b"abc", 0)
    gone = await ingest.http.delete(path, headers=ingest.issuer.bearer(ANN))
    assert gone.status_code == 204
    assert ingest.stored() == []
    assert (await ingest.get(path)).status_code == 404


async def test_an_upload_that_nobody_used_for_a_day_goes(working: Ingest) -> None:
    path = await begun(working, len(CSV))
    await patch(working, path, CSV[:5], 0)
    whole = (await working.upload(CSV, path="/api/uploads")).json()
    await working.owner.execute("UPDATE ingest.uploads SET expires_at = now() - interval '1 s'")
    async with working.working(housekeeping_s=0.1):
        await working.until("SELECT count(*) = 0 FROM ingest.uploads")
        await until("the files are removed", lambda: not working.stored())
    assert (await working.get(f"/api/uploads/{whole['id']}")).status_code == 404
