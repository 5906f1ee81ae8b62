"""Reading records: pages by keyset or number, and one record with its ETag."""

from dataclasses import dataclass

from services.records.domain import Level, Table
from services.records.errors import RecordNotFoundError
from services.records.incoming import ID_LIMIT
from services.records.query import parameters
from services.records.query.cursor import cursor_of
from services.records.query.parameters import Pairs
from services.records.repository import rows
from services.records.repository.rows import Row
from services.records.service.known_tables import Stores, on_table
from shared.contracts.auth import Caller


@dataclass(frozen=True, slots=True)
class Listed:
    """A page: `items` is a JSON array, `next` a path or None."""

    items: str
    next: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A page of the verb face."""

    items: str
    page: int
    limit: int
    total: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """A record as JSON, and its ETag: the table's version and the record's last transaction."""

    json: str
    etag: str


async def list_records(
    stores: Stores, caller: Caller, name: str, query_string: str, *, path: str
) -> Listed:
    """A page of records; `path` is the list's own, for `next`.

    Raises as `authorised`, and InvalidInputError naming the parameter.
    """
    pairs = parameters.pairs_of(query_string)

    async def work(table: Table) -> Listed:
        listing = parameters.listing_of(table, pairs)
        page = await rows.page(stores.pool, table, listing)
        following = None
        if page.last is not None:
            if any(name == "page" for name, _ in pairs):
                further = ("page", str(listing.offset // listing.limit + 2))
            else:
                further = ("cursor", cursor_of(listing.order, page.last))
            following = parameters.next_path(path, query_string, *further)
        return Listed(items=page.items, next=following, total=page.total)

    return await on_table(stores, name, caller, Level.VIEWER, work)


async def list_numbered(stores: Stores, caller: Caller, name: str, pairs: Pairs) -> Numbered:
    """A page of the verb face, with its exact total; raises as `list_records`."""
    pairs = list(pairs)

    async def work(table: Table) -> Numbered:
        listing, number = parameters.verb_listing_of(table, pairs)
        page = await rows.page(stores.pool, table, listing)
        assert page.total is not None
        return Numbered(items=page.items, page=number, limit=listing.limit, total=page.total)

    return await on_table(stores, name, caller, Level.VIEWER, work)


async def get_record(
    stores: Stores, caller: Caller, name: str, record_id: int, *, fields: str | None = None
) -> Tagged:
    """One record; raises as `authorised`, and RecordNotFoundError."""

    async def work(table: Table) -> Tagged:
        columns = parameters.fields_of(table, fields)
        row = None
        if record_id <= ID_LIMIT:
            row = await rows.one(stores.pool, table, record_id, columns)
        if row is None:
            raise no_record(table, record_id)
        return tagged(table, row)

    return await on_table(stores, name, caller, Level.VIEWER, work)


def tagged(table: Table, row: Row) -> Tagged:
    """A record with its ETag."""
    return Tagged(json=row.json, etag=f'"{table.version}-{row.xmin}"')


def no_record(table: Table, record_id: int) -> RecordNotFoundError:
    """The problem of an id that is not there."""
    return RecordNotFoundError(f"{table.name!r} has no record {record_id}")
