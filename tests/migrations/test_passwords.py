"""Passwords of roles are sent as verifiers, and log in as themselves."""

from base64 import b64decode

import asyncpg
import pytest

from migrations.bootstrap import login_role
from migrations.verifiers import scram_verifier
from tests.support.databases import Database


def test_the_verifier_is_that_of_the_standard() -> None:
    # As PostgreSQL's own `scram_build_secret` gives it for RFC 7677's password and salt.
    made = scram_verifier("pencil", salt=b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert made.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert made.endswith(
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


@pytest.mark.parametrize(
    "password",
    ["only-for-tests", 'it\'s "odd" \\ $', "Zoë\u00a0\u2168", "\u0627\u0031", "a\u0007é"],
)
async def test_a_password_logs_in_and_stands_in_no_statement(
    database: Database, password: str
) -> None:
    owner = await asyncpg.connect(database.url())
    try:
        sent: list[str] = []
        owner.add_query_logger(lambda query: sent.append(f"{query.query} {query.args}"))
        for _ in ("made", "changed"):
            await login_role(owner, "of_this_test", password)
        await owner.execute("SELECT 'the logger has heard of all before'")
        assert len(sent) >= 4
        assert not any(password in statement for statement in sent)
        url = database.cluster.url(user="of_this_test", password=password, database=database.name)
        person = await asyncpg.connect(url)
        assert await person.fetchval("SELECT current_user") == "of_this_test"
        await person.close()
    finally:
        await owner.execute("DROP ROLE IF EXISTS of_this_test")
        await owner.close()
