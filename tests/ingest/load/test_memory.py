"""Whatever is in a file, an import of it takes no more than 350 MB of its worker."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import zstandard

from bench.memory import peak_mib
from deploy.local.environment import ALLOCATORS
from tests.ingest.driving import Ingest
from tests.ingest.processes import worker_process
from tests.support.profile import only_in_full

MOST_MIB = 350
MIB = 1 << 20
MILLION = 1_000_000
HEADER = b"a,b\n1,2\n"
COLUMNS = {"a": "text", "b": "integer"}


@dataclass(frozen=True)
class Hostile:
    """A file, the table it goes into, and what comes of it: an error code, or rows by outcome."""

    content: Callable[[], bytes]
    code: str | None = None
    loaded: int = 0
    rejected: int = 0
    columns: dict[str, str] = field(default_factory=lambda: COLUMNS)
    name: str = "file.csv"
    options: dict[str, Any] = field(default_factory=dict)


JSON_COLUMN = {"a": "jsonb"}
FILES = {
    "a header of 8 million delimiters": Hostile(
        lambda: b"a" + b"," * (8 * MILLION) + b"\n1,2\n", "too_many_columns"
    ),
    "a header of 700,000 names": Hostile(
        lambda: b"".join(b"a%d," % n for n in range(500_000)) + b"\n" + b"1,2\n" * MILLION,
        "too_many_columns",
    ),
    "a line of 8 million delimiters": Hostile(
        lambda: HEADER + b"x" + b"," * (8 * MILLION) + b"\n1,2\n", loaded=2, rejected=1
    ),
    "a line of 2 million quoted cells": Hostile(
        lambda: HEADER + b'"x",' * (2 * MILLION) + b"\n1,2\n", loaded=2, rejected=1
    ),
    "8 million quotes": Hostile(
        lambda: HEADER + b'"' * (8 * MILLION) + b"\n1,2\n", loaded=2, rejected=1
    ),
    "12 million rows of one cell": Hostile(
        lambda: zstandard.compress(b"a\n" + b"1\n" * (12 * MILLION)),
        loaded=12 * MILLION,
        columns={"a": "integer"},
    ),
    "4 million rows behind a quote that never closes": Hostile(
        lambda: HEADER + b'x,"\n' + b"y,1\n" * (4 * MILLION), loaded=4 * MILLION + 1, rejected=1
    ),
    "rows behind a quote that nothing ends": Hostile(
        lambda: HEADER + b'x,"\n' + b"y,1\n" * (2 * MILLION) + b'z,"z\n',
        loaded=2 * MILLION + 1,
        rejected=2,
    ),
    "the same with backslashes": Hostile(
        lambda: HEADER + b'x,"\n' + b"y,1\n" * (2 * MILLION) + b'z,"z\n',
        loaded=2 * MILLION + 1,
        rejected=2,
        options={"escape": "backslash"},
    ),
    "8 million blank lines": Hostile(
        lambda: b"a\n1\n" + b"\n" * (8 * MILLION) + b"2\n", loaded=2, columns={"a": "integer"}
    ),
    "8 MB of bad cells": Hostile(
        lambda: HEADER + b"x,y\n" * (2 * MILLION), loaded=1, rejected=2 * MILLION
    ),
    "8 MB of rows that are too long": Hostile(
        lambda: HEADER + b"x,,,,y\n" * MILLION, loaded=1, rejected=MILLION
    ),
    "an array of 20 MB in a cell": Hostile(
        lambda: b'a\n1\n"[' + b"1," * (10 * MILLION) + b'1]"\n',
        loaded=1,
        rejected=1,
        columns=JSON_COLUMN,
    ),
    "an array of 20 MB in an element": Hostile(
        lambda: b'[{"a":1},{"a":[' + b"1," * (10 * MILLION) + b'1]},{"a":2}]',
        loaded=2,
        rejected=1,
        columns=JSON_COLUMN,
        name="file.json",
    ),
    "an array of 20 MB in a line": Hostile(
        lambda: b'{"a":1}\n{"a":[' + b"1," * (10 * MILLION) + b'1]}\n{"a":2}\n',
        loaded=2,
        rejected=1,
        columns=JSON_COLUMN,
        name="file.ndjson",
    ),
    "an element of 64 MiB": Hostile(
        lambda: gzip.compress(b'[{"a":1},{"a":"' + b"x" * (64 * MIB) + b'"},{"a":2}]', 1),
        loaded=2,
        rejected=1,
        columns=JSON_COLUMN,
        name="file.json",
    ),
    "an element of 600 levels": Hostile(
        lambda: b'[{"a":1},{"a":' + b"[" * 600 + b"]" * 600 + b'},{"a":2}]',
        loaded=3,
        columns=JSON_COLUMN,
        name="file.json",
    ),
    "an element of 4 million levels": Hostile(
        lambda: b'[{"a":1},{"a":' + b"[" * (4 * MILLION) + b"]" * (4 * MILLION) + b'},{"a":2}]',
        loaded=2,
        rejected=1,
        columns=JSON_COLUMN,
        name="file.json",
    ),
    "elements of different keys": Hostile(
        lambda: b'{"a":1}\n' + b"".join(b'{"k%d":1}\n' % n for n in range(400_000)),
        code="too_many_columns",
        columns={"a": "integer"},
        name="file.ndjson",
    ),
}


@only_in_full
@pytest.mark.parametrize("file", FILES.values(), ids=list(FILES))
async def test_no_file_takes_more_memory(ingest: Ingest, file: Hostile) -> None:
    await ingest.peers.make_table("t", file.columns)
    async with worker_process(ingest.settings, ingest.storage.parent, **ALLOCATORS) as worker:
        answer = await ingest.upload(file.content(), table="t", name=file.name, **file.options)
        if answer.status_code != 202:
            assert (answer.status_code, answer.json()["code"]) == (422, file.code)
            return
        done = await ingest.finished(answer.json(), timeout_s=300)
        peak = peak_mib(worker.popen.pid)
    assert (await ingest.row(done))["alone"] is False  # its worker outlived it
    assert (done["error"] or {}).get("code") == file.code
    rows: dict[str, Any] = done["rows"]
    assert (rows["loaded"], rows["rejected"]) == (file.loaded, file.rejected)
    assert peak < MOST_MIB
