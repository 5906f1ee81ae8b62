"""Aliases of namespaces: two names of one database."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.catalog.dependencies import Process, Reader, Writer
from services.catalog.schemas.browsing import AliasAnswer, AliasPut
from shared.contracts.base import Page
from shared.contracts.catalog import CatalogName
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/api/catalog/namespaces", tags=["catalog"], route_class=JsonRoute)

AliasName = Annotated[
    CatalogName,
    Path(
        description="A namespace, percent-encoded.",
        examples=["postgres://10.0.0.5:5432/shop"],
    ),
]


@router.get("", summary="List aliases of namespaces")
async def catalog_namespaces_list(catalog: Process, _caller: Reader) -> Page[AliasAnswer]:
    """Every alias, by name."""
    return Page(items=[AliasAnswer.of(alias) for alias in await catalog.namespaces.all()])


@router.get("/{alias:segment}", summary="Show an alias of a namespace")
async def catalog_namespaces_get(
    catalog: Process, _caller: Reader, alias: AliasName
) -> AliasAnswer:
    """What an alias stands for."""
    return AliasAnswer.of(await catalog.namespaces.one(alias))


@router.put("/{alias:segment}", summary="Make an alias of a namespace")
async def catalog_namespaces_put(
    catalog: Process, caller: Writer, alias: AliasName, body: AliasPut
) -> AliasAnswer:
    """Let one name of a database stand for another; for admins.

    Its tables move: a table that both names have becomes one, with the edges of both. Null is the
    installation's own database, whose schema `data` holds the tables made here.
    """
    return AliasAnswer.of(await catalog.namespaces.put(caller, alias, same_as=body.same_as))


@router.delete("/{alias:segment}", status_code=204, summary="Delete an alias of a namespace")
async def catalog_namespaces_delete(catalog: Process, caller: Writer, alias: AliasName) -> None:
    """Delete an alias; the tables that it moved stay where they are. For admins."""
    await catalog.namespaces.remove(caller, alias)
