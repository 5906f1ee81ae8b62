"""Tables made as the service `records` makes them, with rules, and loads into them."""

from dataclasses import dataclass
from typing import Any

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Outcome
from services.records import ddl
from services.records.face.answers import contract_of
from services.records.repository import registry
from services.records.schemas import NewTable
from services.records.types.schema_reading import table_of
from shared.contracts.records import TableContract
from tests.ingest.load.loading import LoadedTable, Loader
from tests.support.issuer import person

ANN = person("ann@example.com")


@dataclass(frozen=True)
class RuledTable(LoadedTable):
    """The outside of a load into a table that records made."""

    async def contract(self) -> TableContract:
        table = await registry.find(self.loader.owner, self.table)
        assert table is not None
        return contract_of(table)


@dataclass
class Ruled:
    """Makes tables as records does, and loads into them."""

    loader: Loader

    async def make(self, name: str, *columns: dict[str, Any], **more: Any) -> None:
        new = table_of(NewTable.model_validate({"name": name, "columns": columns, **more}))
        for statement in ddl.create_table(name, new.columns, new.unique):
            await self.loader.owner.execute(statement)
        await registry.register(self.loader.owner, name, owner=ANN, description=None)

    async def load(self, name: str, text: str, **options: Any) -> Outcome:
        return await self.loader.load(
            name, text, options=ImportOptions(**options), outside=RuledTable(self.loader, name)
        )

    async def rows(self, name: str, wanted: str = "*") -> list[tuple[Any, ...]]:
        return await self.loader.rows(name, wanted)

    @property
    def reasons(self) -> list[tuple[int, str | None, str]]:
        return self.loader.rejects.reasons

    @property
    def messages(self) -> list[str]:
        return [reject.message for reject in self.loader.rejects.kept]
