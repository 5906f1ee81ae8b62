"""Bytes as they stream in, cut into blocks of whole lines; memory stays at a few blocks."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from services.catalog.errors import LineRefusedError
from shared.contracts.problem import FieldError

Contract = TypeVar("Contract")

BLOCK_BYTES = 4 << 20
LINE_LIMIT_BYTES = 8 << 20
"""A table of 1,600 columns, the most that PostgreSQL has, with long names is about a megabyte."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, without the end of the last one; `first` is the number of the first, from 1.

    Blank lines are kept, so that the numbers fit.
    """

    first: int
    content: bytes

    @property
    def lines(self) -> list[bytes]:
        """Each line without its end."""
        return self.content.split(b"\n")


async def blocks_of_lines(
    chunks: AsyncIterator[bytes], *, line_limit_bytes: int = LINE_LIMIT_BYTES
) -> AsyncGenerator[Block]:
    """Blocks of about four megabytes; the last line may lack its end.

    Raises LineRefusedError for a longer line than the limit.
    """
    number = 1
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) < BLOCK_BYTES:
            continue
        whole, newline, rest = bytes(waiting).rpartition(b"\n")
        if newline:
            yield Block(first=number, content=whole)
            number += whole.count(b"\n") + 1
            waiting = bytearray(rest)
        if len(waiting) > line_limit_bytes:
            raise refused(number, "", "too_long", f"a line has at most {line_limit_bytes} bytes")
    if waiting:
        yield Block(first=number, content=bytes(waiting).removesuffix(b"\n"))


def checked_lines(
    block: Block, contract: TypeAdapter[Contract], *, tags: Collection[str] = ()
) -> Iterator[tuple[int, Contract]]:
    """Each line that is not blank with its number, as its contract reads it.

    `tags` are those of a union's members, which stand before a field. Raises LineRefusedError for
    the first line that does not fit.
    """
    for number, line in enumerate(block.lines, start=block.first):
        if not line.strip():
            continue
        try:
            yield number, contract.validate_json(line)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"] if part not in tags)
            raise refused(number, field, first["type"], first["msg"]) from exc


def refused(number: int, field: str, code: str, message: str) -> LineRefusedError:
    """The problem of one line, by its number and, where it is known, its field."""
    where = f"line {number}.{field}" if field else f"line {number}"
    return LineRefusedError(
        f"{where}: {message}; nothing of the stream was kept",
        errors=[FieldError(field=where, code=code, message=message)],
    )
