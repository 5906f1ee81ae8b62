"""The child process: `python -m services.ingest.read.columnar PATH OPTIONS`.

The first message is JSON, `{"kind", "rows", "columns": [{"name", "type", "precision", "scale",
"spelled", "nullable"}]}`. Asked for `{"wanted": {column: type}}`, it sends every batch of those
columns as two messages: `{"rows", "undecodable": {column: [row, …]}}`, and the batch as an Arrow
IPC stream. A file that cannot be read ends in `{"code", "message"}`.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.ingest.read.columnar.types import ColumnUnreadableError, described
from services.ingest.read.serving import asked, say, send, serve

BATCH_ROWS = 25_000
BATCH_CELLS = 1_000_000
FIRST_ROWS = 1_000


class FileError(Exception):
    """The file is damaged, encrypted, or claims more than it may hold; `code` is the problem's."""

    def __init__(self, message: str, *, code: str = "damaged_file") -> None:
        super().__init__(message)
        self.code = code


class ParquetRows:
    """A Parquet file, read by row groups."""

    kind = "parquet"

    def __init__(self, path: str, *, limit_bytes: int) -> None:
        self._file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
        metadata = self._file.metadata
        groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
        size = sum(group.total_byte_size for group in groups)
        if not 0 <= size <= limit_bytes:
            raise FileError(
                "the file grows beyond the limit for decompressed files",
                code="decompression_bomb",
            )
        self.schema = self._file.schema_arrow
        self.rows = metadata.num_rows

    def batches(self, names: list[str], size: int) -> Iterator[pa.RecordBatch]:
        """The rows in order."""
        return self._file.iter_batches(size, columns=names, use_threads=False)  # type: ignore[no-any-return]


class ArrowRows:
    """An Arrow IPC file or stream."""

    kind = "arrow"

    def __init__(self, path: str, *, is_file: bool) -> None:
        self._source = pa.memory_map(path)
        if is_file:
            opened = pa.ipc.open_file(self._source)
            self._batches = (opened.get_batch(at) for at in range(opened.num_record_batches))
        else:
            opened = pa.ipc.open_stream(self._source)
            self._batches = iter(opened)
        self.schema = opened.schema
        self.rows: int | None = None

    def batches(self, names: list[str], size: int) -> Iterator[pa.RecordBatch]:
        """The rows in order, in slices of at most `size`."""
        for batch in self._batches:
            batch.validate()
            chosen = batch.select(names)
            for start in range(0, chosen.num_rows, size):
                yield chosen.slice(start, size)


def opened(path: str, *, limit_bytes: int) -> ParquetRows | ArrowRows:
    """The file by its first bytes; raises FileError, pa.ArrowException."""
    with open(path, "rb") as file:  # noqa: PTH123 - as the rest of the child
        head = file.read(8)
    if head.startswith(b"PARE"):
        raise FileError("the file is encrypted: write it without encryption", code="encrypted_file")
    if head.startswith(b"PAR1"):
        return ParquetRows(path, limit_bytes=limit_bytes)
    return ArrowRows(path, is_file=head.startswith(b"ARROW1"))


def main(path: str, options: dict[str, Any]) -> None:
    """Read the file; everything about it goes out as messages."""
    try:
        _read(path, options)
    except FileError as exc:
        say({"code": exc.code, "message": str(exc)})
    except ColumnUnreadableError as exc:
        say({"code": "unsupported_column", "message": str(exc)})
    except pa.ArrowMemoryError as exc:
        raise MemoryError from exc
    except (pa.ArrowException, OSError, ValueError, NotImplementedError) as exc:
        reason = str(exc).partition("\n")[0][:200]
        say({"code": "damaged_file", "message": f"the file is damaged or cut off: {reason}"})
    send(b"")


def _read(path: str, options: dict[str, Any]) -> None:
    rows = opened(path, limit_bytes=options["limit_bytes"])
    columns = []
    for field in rows.schema:
        name, precision, scale = described(field)
        columns.append(
            {
                "name": field.name,
                "type": name,
                "precision": precision,
                "scale": scale,
                "spelled": str(field.type),
                "nullable": field.nullable,
            }
        )
    say({"kind": rows.kind, "rows": rows.rows, "columns": columns})
    # Its import of `pyarrow.compute` falls into the time in which the parent makes its plan.
    from services.ingest.read.columnar.normal import fitted  # noqa: PLC0415

    question = asked()
    if question is None:
        return
    wanted: dict[str, str] = question["wanted"]
    size = max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, len(wanted))))
    for batch in rows.batches(list(wanted), size):
        arrays: list[pa.Array] = []
        undecodable: dict[str, list[int]] = {}
        for name, kind in wanted.items():
            array, wrong = fitted(batch.column(name), kind)
            arrays.append(array)
            if wrong:
                undecodable[name] = wrong
        say({"rows": batch.num_rows, "undecodable": undecodable})
        sent = pa.record_batch(arrays, names=list(wanted))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, sent.schema) as writer:
            writer.write_batch(sent)
        send(sink.getvalue())


if __name__ == "__main__":
    pa.set_cpu_count(1)
    serve(main)
