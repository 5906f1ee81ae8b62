"""Namespaces and their aliases: which names stand for one database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Alias, TableKey
from services.catalog.errors import AliasUnknownError
from services.catalog.namespaces import canonical, of_dataset
from services.catalog.repository import locks, namespaces
from services.catalog.tables import BOOKS, NO_NAMESPACE
from shared.contracts.auth import Caller
from shared.errors import ForbiddenError, InvalidInputError
from shared.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class Aliases:
    """The aliases at one moment; `own` are the names of the installation's own database."""

    own: frozenset[str]
    same_as: Mapping[str, str]

    def of(self, namespace: str | None) -> str | None:
        """The namespace that a name stands for; None for our own database, and for no name."""
        if not namespace:
            return None
        known = canonical(namespace)
        known = self.same_as.get(known, known)
        return None if known in self.own else known or None

    def key_of(self, namespace: str, name: str) -> TableKey:
        """The table that OpenLineage calls by a namespace and a name."""
        database, schema, table = of_dataset(namespace, name)
        return TableKey(schema, table, self.of(database))


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Resolves namespaces, and keeps aliases for admins."""

    engine: AsyncEngine
    own: frozenset[str]

    async def aliases(self) -> Aliases:
        """All aliases as they are now."""
        async with self.engine.connect() as connection:
            return Aliases(self.own, await namespaces.aliases(connection))

    async def resolve(self, namespace: str | None) -> str | None:
        """The namespace that a name stands for; None for our own database, and for no name."""
        return (await self.aliases()).of(namespace) if namespace else None

    async def stored(self, namespace: str | None) -> str | None:
        """A namespace that a caller gave as tables store it; None for none given."""
        return None if namespace is None else await self.resolve(namespace) or NO_NAMESPACE

    async def all(self) -> Sequence[Alias]:
        """Every alias, by name."""
        async with self.engine.connect() as connection:
            known = await namespaces.aliases(connection)
        return [Alias(name, same_as or None) for name, same_as in sorted(known.items())]

    async def one(self, name: str) -> Alias:
        """One alias; raises AliasUnknownError."""
        alias = canonical(name)
        async with self.engine.connect() as connection:
            known = await namespaces.aliases(connection)
        if alias not in known:
            raise AliasUnknownError(f"{name!r} is no alias")
        return Alias(alias, known[alias] or None)

    async def put(self, caller: Caller, name: str, *, same_as: str | None) -> Alias:
        """Let a name stand for a namespace, None for our own database; its tables move there.

        Raises ForbiddenError unless the caller is an admin, InvalidInputError.
        """
        _require_admin(caller)
        alias, target = canonical(name), canonical(same_as) if same_as else NO_NAMESPACE
        if target in self.own:
            target = NO_NAMESPACE
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_alone(tx.connection)
            known = await namespaces.aliases(tx.connection)
            self._check(alias, target, known)
            await namespaces.put(tx.connection, alias, same_as=target)
            tables = await namespaces.move_tables(tx.connection, source=alias, target=target)
            await tx.record(
                caller, "namespace.put", f"namespace:{alias}", same_as=target, tables=tables
            )
        return Alias(alias, target or None)

    async def remove(self, caller: Caller, name: str) -> None:
        """Delete an alias; tables that it moved stay where they are.

        Raises ForbiddenError unless the caller is an admin, AliasUnknownError.
        """
        _require_admin(caller)
        alias = canonical(name)
        async with transaction(self.engine, BOOKS) as tx:
            if not await namespaces.remove(tx.connection, alias):
                raise AliasUnknownError(f"{name!r} is no alias")
            await tx.record(caller, "namespace.delete", f"namespace:{alias}")

    def _check(self, alias: str, target: str, known: Mapping[str, str]) -> None:
        if alias == target or alias in self.own:
            raise InvalidInputError.of("alias", "same_name", "this is that namespace already")
        if target in known:
            message = f"this is an alias itself; name {known[target] or 'null'!r}"
            raise InvalidInputError.of("same_as", "is_alias", message)
        if alias in known.values():
            message = "other names stand for this one; change them first"
            raise InvalidInputError.of("alias", "has_aliases", message)


def _require_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise ForbiddenError("this is for admins")
