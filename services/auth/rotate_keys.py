"""`python -m services.auth.rotate_keys`: let the next signing key take its turn.

With `--replace-all` every key is deleted and two new ones are created: for a leaked key, or a lost
SIGNING_KEY_SECRET. All access tokens end with it, within seconds in running services. Sessions
continue with their refresh tokens. Reads the same environment as the service.
"""

import argparse
import asyncio
import json
import sys

from services.auth.service.keys import KeyRing
from services.auth.settings import AuthSettings
from shared.process.settings import of_environment
from shared.store.engine import database_engine

ACTOR = "operator"


async def turn(settings: AuthSettings, *, everything: bool) -> dict[str, str]:
    """Rotate (or replace) the keys; returns which one signs from when, and which comes next."""
    async with database_engine(
        settings.database_url.get_secret_value(),
        application_name="tabularium-auth:rotate-keys",
        pool_size=1,
    ) as engine:
        keys = KeyRing(engine=engine, secret=settings.signing_key_secret_bytes)
        change = keys.replace_all if everything else keys.turn
        rotation = await change(actor=ACTOR)
    return {
        "kid": rotation.kid,
        "signs_from": rotation.signs_from.isoformat(),
        "next_kid": rotation.next_kid,
    }


def main() -> None:
    """Run the command and print its result as JSON."""
    parser = argparse.ArgumentParser(description="Let the next signing key take its turn.")
    parser.add_argument(
        "--replace-all", action="store_true", help="drop every key now: for a leaked key"
    )
    options = parser.parse_args()
    rotation = asyncio.run(turn(of_environment(AuthSettings), everything=options.replace_all))
    sys.stdout.write(json.dumps(rotation, indent=1) + "\n")


if __name__ == "__main__":
    main()
