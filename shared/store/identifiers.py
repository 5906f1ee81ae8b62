"""The one quoting function, and how constraints are named."""

from typing import NewType

from sqlalchemy import MetaData

from shared.contracts.records import IDENTIFIER_LIMIT_BYTES

QuotedIdentifier = NewType("QuotedIdentifier", str)
"""An identifier that has been through `quoted`, and may stand in SQL."""

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def quoted(identifier: str) -> QuotedIdentifier:
    """Quote a name for use in SQL; the only way a user-given name gets into a statement.

    Raises ValueError for NUL, an empty name, or more than 63 bytes, which PostgreSQL would cut.
    """
    if not identifier or "\0" in identifier:
        raise ValueError("an identifier is neither empty nor does it hold NUL")
    if len(identifier.encode()) > IDENTIFIER_LIMIT_BYTES:
        raise ValueError(f"an identifier has at most {IDENTIFIER_LIMIT_BYTES} bytes")
    return QuotedIdentifier('"' + identifier.replace('"', '""') + '"')


def metadata_of(schema: str) -> MetaData:
    """Empty metadata of a service's own schema, with the naming convention."""
    return MetaData(schema=schema, naming_convention=NAMING_CONVENTION)
