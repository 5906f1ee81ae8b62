"""What `alembic` without a section answers: there is one for each service."""

from alembic.util import CommandError

from migrations.bootstrap import SERVICES

raise CommandError(
    f"name a section: alembic -n {'|'.join(SERVICES)} upgrade head;"
    " `python -m migrations` brings all of them to their head"
)
