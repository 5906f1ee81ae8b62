"""The usual client of tus sends files over connections that break, to each kind of storage."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3
import pytest
import pytest_asyncio
from tusclient.client import TusClient

from deploy.local.valkey import Valkey
from tests.cli.relay import relay_to
from tests.ingest.driving import ANN, PEOPLE, Ingest, running_ingest
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.s3 import s3_environment, s3_server

MIB = 1 << 20
CSV = b"name,age\n" + b"".join(b"%s,%d\n" % (b"x" * 200_000, n) for n in range(40))
"""Some 8 MB."""


@pytest.fixture
def storage_url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    if request.param == "local":
        yield (tmp_path / "storage").as_uri()
        return
    with s3_server() as url:
        for name, value in s3_environment(url).items():
            monkeypatch.setenv(name, value)
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="tabularium")
        yield "s3://tabularium/below"


@pytest_asyncio.fixture
async def ingest(
    storage_url: str,
    module_database: Database,
    issuer: Issuer,
    valkey_server: Valkey,
    tmp_path: Path,
) -> AsyncIterator[Ingest]:
    async with running_ingest(
        module_database,
        issuer=issuer,
        redis_url=valkey_server.url,
        storage=tmp_path / "storage",
        storage_url=storage_url,
    ) as running:
        await running.emptied()
        await running.peers.make_table("people", PEOPLE)
        async with running.working():
            yield running


def send(url: str, headers: dict[str, str], *, cut: bool, checksum: bool) -> str:
    """Send the file in two goes, the second by a client that only knows its address."""
    with relay_to(url, cut_after_bytes=3 * MIB if cut else 0) as relay:
        client = TusClient(f"{relay.url}/api/uploads", headers=headers)
        first = client.uploader(
            file_stream=io.BytesIO(CSV),
            chunk_size=MIB,
            metadata={"filename": "people.csv"},
            retries=3,
            retry_delay=0,
            upload_checksum=checksum,
        )
        first.upload(stop_at=5 * MIB)
        assert 5 * MIB <= first.offset < len(CSV)
        second = client.uploader(
            file_stream=io.BytesIO(CSV), chunk_size=2 * MIB, url=first.url, retries=3, retry_delay=0
        )
        assert second.offset == first.offset
        second.upload()
        return str(second.url).rpartition("/")[2]


@pytest.mark.parametrize("storage_url", ["local", "s3"], indirect=True)
@pytest.mark.parametrize("checksum", [False, True])
async def test_a_file_arrives_over_a_connection_that_breaks(
    ingest: Ingest, *, checksum: bool
) -> None:
    headers = dict(ingest.issuer.bearer(ANN))
    upload_id = await asyncio.to_thread(
        send, str(ingest.http.base_url), headers, cut=True, checksum=checksum
    )
    upload = (await ingest.get(f"/api/uploads/{upload_id}")).json()
    assert upload["received_bytes"] == len(CSV)
    assert upload["sha256"] == hashlib.sha256(CSV).hexdigest()
    answer = await ingest.http.post(
        "/api/imports", json={"upload": upload_id, "table": "people"}, headers=headers
    )
    assert answer.status_code == 202, answer.text
    done = await ingest.finished(answer.json())
    assert (done["state"], done["rows"]["loaded"], await ingest.count()) == ("succeeded", 40, 40)
