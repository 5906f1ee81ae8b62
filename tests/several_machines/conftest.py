"""The machines, which all of these tests use in turn."""

from collections.abc import AsyncIterator, Iterator, Mapping

import boto3
import pytest
import pytest_asyncio

from deploy.local import valkey
from deploy.local.valkey import Valkey
from tests.several_machines.machines import Machines, running_machines
from tests.support.databases import Database, copy_of
from tests.support.mailbox import running_mailbox
from tests.support.s3 import s3_environment, s3_server

BUCKET = "tabularium"


@pytest.fixture(scope="session")
def storage() -> Iterator[Mapping[str, str]]:
    """S3 as every machine reaches it."""
    with s3_server() as url:
        access = s3_environment(url)
        boto3.client(
            "s3",
            endpoint_url=url,
            region_name=access["AWS_REGION"],
            aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=access["AWS_SECRET_ACCESS_KEY"],
        ).create_bucket(Bucket=BUCKET)
        yield {**access, "STORAGE_URL": f"s3://{BUCKET}/tables"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def machines(
    tmp_path_factory: pytest.TempPathFactory,
    template: Database,
    storage: Mapping[str, str],
) -> AsyncIterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    redis = Valkey(server=valkey.find_server(), folder=folder)
    redis.start()
    settings = {**storage, "REDIS_URL": redis.url}
    async with (
        copy_of(template) as database,
        running_mailbox() as mailbox,
        running_machines(
            folder, database, settings=settings, mailbox=mailbox, redis=redis
        ) as running,
    ):
        yield running
    redis.stop()
