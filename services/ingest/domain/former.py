"""Rows as they were before an import, kept so that it can be taken back."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormerColumn:
    """A column of former rows, as the table had it then.

    `attnum` finds it again under another name; `type` is PostgreSQL's spelling.
    """

    name: str
    attnum: int
    type: str


@dataclass(frozen=True, slots=True)
class StoredFormer:
    """Where former rows are: binary COPY under zstd."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FormerRows:
    """Former rows in storage: `id`, `_import`, `_version`, then these columns."""

    stored: StoredFormer
    columns: tuple[FormerColumn, ...]
