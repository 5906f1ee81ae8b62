"""The real auth on a real port, with a database and a mail server of its own, per module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.auth.driving import Auth, running_auth
from tests.support.databases import Database
from tests.support.mailbox import Mailbox, running_mailbox


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mailbox() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def auth(module_database: Database, mailbox: Mailbox) -> AsyncIterator[Auth]:
    async with running_auth(module_database, mailbox) as running:
        yield running
