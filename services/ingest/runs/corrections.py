"""Which refused rows of an import entered by corrections, and what corrections need of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from services.ingest.domain.run import ImportId, Run
from services.ingest.errors import ImportUndoneError
from shared.store.engine import RawConnection, RawPool

READING: Final[LiteralString] = """
SELECT reading::text FROM ingest.imports WHERE id = $1"""

# Whatever else adds to the import's rows or takes them back waits for the end of the transaction.
LOCK: Final[LiteralString] = """
SELECT undone IS NOT NULL AS undone FROM ingest.imports WHERE id = $1 FOR NO KEY UPDATE"""

LINES: Final[LiteralString] = """
SELECT line FROM ingest.corrected_lines WHERE import_id = $1"""

ADD: Final[LiteralString] = """
INSERT INTO ingest.corrected_lines (import_id, line, corrected_by)
SELECT $1, line, $2 FROM unnest($3::bigint[]) AS given (line)"""

# A correction of a correction counts for each import on the way to the first.
COUNT: Final[LiteralString] = """
WITH RECURSIVE corrected AS (
    SELECT id, kind, follows FROM ingest.imports WHERE id = $1
    UNION ALL
    SELECT i.id, i.kind, i.follows FROM ingest.imports i
    JOIN corrected c ON i.id = c.follows WHERE c.kind = 'correction'
)
UPDATE ingest.imports i SET rows_corrected = rows_corrected + $2, revision = revision + 1
FROM corrected WHERE i.id = corrected.id"""

# The first 1,000 reasons are kept: only with fewer are all refused lines known here.
NOT_REFUSED: Final[LiteralString] = """
WITH kept AS (
    SELECT line FROM ingest.rejects WHERE import_id = $1 AND lease = $2 AND pass = $3
)
SELECT line FROM unnest($4::bigint[]) AS given (line)
WHERE (SELECT count(*) FROM kept) < 1000 AND NOT EXISTS (
    SELECT 1 FROM kept WHERE kept.line = given.line)
ORDER BY line"""


@dataclass(frozen=True, slots=True)
class Lines:
    """The refused lines of an import that are in, within one correction of it."""

    first: ImportId
    corrected: ImportId
    """The import that the correction names: the first one, or a correction of it."""
    correction: ImportId

    async def open(self, connection: RawConnection) -> list[int]:
        """Lock the first import's row until the transaction ends; the lines that are in.

        Raises ImportUndoneError.
        """
        row = await connection.fetchrow(LOCK, self.first)
        if row is None or row["undone"]:
            raise ImportUndoneError(f"import {self.first} was taken back; nothing was loaded")
        return [each["line"] for each in await connection.fetch(LINES, self.first)]

    async def add(self, connection: RawConnection, lines: Sequence[int]) -> None:
        """Note lines that are in now, and count them."""
        if lines:
            await connection.execute(ADD, self.first, self.correction, lines)
            await connection.execute(COUNT, self.corrected, len(lines))


async def reading(pool: RawPool, import_id: ImportId) -> bytes | None:
    """How an import read its rows, as JSON; None where it refused none."""
    text: str | None = await pool.fetchval(READING, import_id)
    return None if text is None else text.encode()


async def not_refused(pool: RawPool, run: Run, lines: Sequence[int]) -> list[int]:
    """Those of the lines that an import did not refuse, as far as that is known at once."""
    rows = await pool.fetch(NOT_REFUSED, run.id, run.lease, run.reject_pass, lines)
    return [row["line"] for row in rows]


async def lines_in(pool: RawPool, import_id: ImportId) -> list[int]:
    """The lines of an import that entered by corrections."""
    return [row["line"] for row in await pool.fetch(LINES, import_id)]
