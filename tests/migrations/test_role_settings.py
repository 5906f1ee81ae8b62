"""What holds in every session of a role, whatever its client or the database says."""

import asyncpg

from migrations.bootstrap import ROLE_SETTINGS, SERVICES, bootstrap
from tests.support.databases import PASSWORD, Database


async def test_sessions_of_a_role_have_its_settings_whatever_the_database_says(
    database: Database,
) -> None:
    owner = await asyncpg.connect(database.superuser_url)
    for name, value in (("timezone", "Europe/Paris"), ("datestyle", "SQL, DMY"), ("jit", "on")):
        await owner.execute(f"ALTER DATABASE {database.name} SET {name} = '{value}'")
    await owner.close()
    for role, settings in ROLE_SETTINGS.items():
        session = await asyncpg.connect(database.url(role))
        held = {
            name: await session.fetchval("SELECT current_setting($1)", name) for name in settings
        }
        await session.close()
        assert held == settings


async def test_a_statement_timeout_is_changed_by_the_next_bootstrap(database: Database) -> None:
    passwords = dict.fromkeys(SERVICES, PASSWORD)

    async def held() -> str:
        session = await asyncpg.connect(database.direct_url("records"))
        timeout: str = await session.fetchval("SELECT current_setting('statement_timeout')")
        await session.close()
        return timeout

    try:
        await bootstrap(database.url(), passwords, statement_timeout_s=7.5)
        assert await held() == "7500ms"
    finally:
        await bootstrap(database.url(), passwords)
    assert await held() == "55s"
