"""The usual clients of tus send files over connections that break, to each kind of storage."""

import asyncio
import hashlib
import io
import os
import shutil
import subprocess
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
from tests.support.profile import only_in_full
from tests.support.s3 import s3_environment, s3_server

MIB = 1 << 20
CSV = b"name,age\n" + b"".join(b"%s,%d\n" % (b"x" * 200_000, n) for n in range(40))
"""Some 8 MB."""
TUS_JS = "tus-js-client@4.3.1"
SCRIPT = Path(__file__).parent / "tus_upload.mjs"


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


@pytest.fixture(scope="module")
def tus_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the JavaScript client, out of its registry."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js here to run tus-js-client")
    folder = tmp_path_factory.mktemp("tus-js")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", TUS_JS]
    (folder / "package.json").write_text("{}")
    environment = {**os.environ, "npm_config_cache": str(folder / "cache")}
    try:
        done = subprocess.run(
            install,
            check=False,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of npm does not answer")
    if done.returncode:
        pytest.skip(f"npm cannot fetch {TUS_JS}: {done.stderr.strip()[-300:]}")
    return folder


async def send_by_node(folder: Path, url: str, headers: dict[str, str]) -> str:
    """As `send`, by tus-js-client."""
    file = folder / "people.csv"
    file.write_bytes(CSV)
    with relay_to(url, cut_after_bytes=3 * MIB) as relay:
        node = await asyncio.create_subprocess_exec(
            *("node", str(SCRIPT), str(folder), f"{relay.url}/api/uploads"),
            *(headers["Authorization"], str(file), str(5 * MIB)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, wrong = await node.communicate()
    assert node.returncode == 0, wrong.decode()
    return said.decode().strip().rpartition("/")[2]


@only_in_full
@pytest.mark.parametrize("storage_url", ["local", "s3"], indirect=True)
@pytest.mark.parametrize("checksum", [False, True])
async def test_a_file_arrives_over_a_connection_that_breaks(
    ingest: Ingest, *, checksum: bool
) -> None:
    headers = dict(ingest.issuer.bearer(ANN))
    upload_id = await asyncio.to_thread(
        send, str(ingest.http.base_url), headers, cut=True, checksum=checksum
    )
    await arrived(ingest, upload_id, headers)


@only_in_full
@pytest.mark.parametrize("storage_url", ["local", "s3"], indirect=True)
async def test_a_file_arrives_from_javascript(ingest: Ingest, tus_js: Path) -> None:
    headers = dict(ingest.issuer.bearer(ANN))
    upload_id = await send_by_node(tus_js, str(ingest.http.base_url), headers)
    await arrived(ingest, upload_id, headers)


async def arrived(ingest: Ingest, upload_id: str, headers: dict[str, str]) -> None:
    """The upload is whole, and can be imported."""
    upload = (await ingest.get(f"/api/uploads/{upload_id}")).json()
    assert upload["received_bytes"] == len(CSV)
    assert upload["sha256"] == hashlib.sha256(CSV).hexdigest()
    answer = await ingest.http.post(
        "/api/imports", json={"upload": upload_id, "table": "people"}, headers=headers
    )
    assert answer.status_code == 202, answer.text
    done = await ingest.finished(answer.json())
    assert (done["state"], done["rows"]["loaded"], await ingest.count()) == ("succeeded", 40, 40)
