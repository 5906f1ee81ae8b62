"""How names and their namespaces stand in queries and answers."""

from typing import Annotated

from pydantic import ConfigDict, Field

from services.catalog.domain import TableKey
from shared.contracts.base import AnswerModel
from shared.contracts.catalog import NAME_LIMIT, CatalogText

# A field cannot be called `schema`: Pydantic's models have a method of that name.
SchemaName = Annotated[
    str | None,
    Field(alias="schema", description="Null for what has none; it is reached under `-`."),
]
Cursor = Annotated[
    str | None,
    Field(max_length=10_000, description="Continues a list, from a page's `next`."),
]


Namespace = Annotated[
    CatalogText | None,
    Field(
        max_length=NAME_LIMIT,
        description="The database, as `postgres://host:port/database`; empty for names without"
        " one. Needed where a name is in more than one.",
        examples=["postgres://db.example.com:5432/shop"],
    ),
]


class NamedAnswer(AnswerModel):
    """An answer with a field `schema`."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)


def named(key: TableKey) -> dict[str, object]:
    """The fields of a table's key, as answers call them."""
    return {"schema": key.schema, "name": key.name, "namespace": key.namespace}
