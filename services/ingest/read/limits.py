"""How much of anything one import may take."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes; the defaults keep a worker far below its memory."""

    block_bytes: int = 4 * MIB
    """How much of a file is parsed at a time."""
    record_bytes: int = 8 * MIB
    """A record larger than this is refused; it bounds what an unbalanced quote can swallow."""
    decompressed_bytes: int = 64 << 30
    """A compressed file may not grow beyond this."""
    decompression_ratio: int = 250
    """Nor beyond this many times its size, once it is over `ratio_from_bytes`."""
    ratio_from_bytes: int = 64 * MIB
    reader_memory_bytes: int = 192 * MIB
    """What a process that reads a workbook, an archive or typed columns may take for the file."""
    reader_cpu_s: int = 3_600
