"""What people write of tables, columns and ETLs, and what a search finds, on the wire."""

from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field

from services.catalog.domain import Changes, Hit, HitKind
from services.catalog.schemas.names import NamedAnswer, SchemaName
from services.catalog.service.search import Found
from shared.contracts.base import AnswerModel, RequestModel
from shared.contracts.catalog import CatalogName, CatalogText, not_blank


def _each_once(words: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(words)) < len(words):
        raise ValueError("each one stands once")
    return words


Description = Annotated[
    CatalogText | None, Field(max_length=5000, description="Null or empty removes it.")
]
Word = Annotated[CatalogText, Field(min_length=1, max_length=200), AfterValidator(not_blank)]
Words = Annotated[
    tuple[Word, ...], Field(max_length=50, description="All of them."), AfterValidator(_each_once)
]


class ColumnPatch(RequestModel):
    """What is written of a column; a field that is left out stays as it is."""

    description: Description = None
    tags: Words = ()

    def changes(self) -> Changes:
        """As the service takes them."""
        return Changes(
            frozenset(self.model_fields_set), description=self.description, tags=self.tags
        )


class EtlPatch(RequestModel):
    """What is written of an ETL; a field that is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "description": "Copies the shop's orders at 02:00",
                    "tags": ["nightly"],
                    "owners": ["ann@example.com"],
                }
            ]
        }
    )

    description: Description = None
    tags: Words = ()
    owners: Words = ()

    def changes(self) -> Changes:
        """As the service takes them."""
        return Changes(
            frozenset(self.model_fields_set),
            description=self.description,
            tags=self.tags,
            owners=self.owners,
        )


class TablePatch(EtlPatch):
    """What is written of a table and its columns; a field or a column left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "description": "Who buys from us",
                    "tags": ["personal data"],
                    "owners": ["ann@example.com"],
                    "columns": {"email": {"description": "Where to write", "tags": ["sensitive"]}},
                }
            ]
        }
    )

    columns: Annotated[dict[CatalogName, ColumnPatch], Field(default_factory=dict, max_length=2000)]

    def changes(self) -> Changes:
        """As the service takes them."""
        return Changes(
            frozenset(self.model_fields_set),
            description=self.description,
            tags=self.tags,
            owners=self.owners,
            columns={name: column.changes() for name, column in self.columns.items()},
        )


class SearchQuery(RequestModel):
    """Words to search for; each is a part of a name, a description, a tag or an owner."""

    q: Annotated[CatalogText, Field(min_length=1, max_length=200), AfterValidator(not_blank)]
    limit: Annotated[int, Field(ge=1, le=100, description="Hits at most.")] = 25


class SearchHit(NamedAnswer):
    """A table, a column (of `table`) or an ETL."""

    kind: HitKind
    schema_name: SchemaName
    table: str | None
    name: str
    namespace: str | None
    description: str | None
    tags: tuple[str, ...]

    @classmethod
    def of_hit(cls, hit: Hit) -> Self:
        """A hit with the table of a column."""
        table, is_column = hit.table, hit.kind is HitKind.COLUMN
        return cls.of(
            hit,
            schema=table and table.schema,
            table=table.name if table is not None and is_column else None,
        )


class SearchAnswer(AnswerModel):
    """The best hits first; `truncated` says that there are more.

    `unavailable` is not empty where the tables made here had to be left out, because it cannot be
    asked who may see which.
    """

    items: tuple[SearchHit, ...]
    truncated: bool
    unavailable: tuple[str, ...]

    @classmethod
    def of_found(cls, found: Found) -> Self:
        """The hits in order."""
        return cls(
            items=tuple(SearchHit.of_hit(hit) for hit in found.hits),
            truncated=found.truncated,
            unavailable=found.unavailable,
        )
