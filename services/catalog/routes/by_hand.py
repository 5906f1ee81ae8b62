"""Writing the catalog by hand (`catalog:write`)."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Response

from services.catalog.dependencies import (
    EtlName,
    EtlNamespace,
    Namespace,
    Process,
    SchemaName,
    TableName,
    Writer,
    schema_of,
)
from services.catalog.schemas.browsing import EdgeAnswer, EtlItem, NewEtl
from services.catalog.service.by_hand import EdgeAddress
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/api/catalog", tags=["catalog"], route_class=JsonRoute)

EXAMPLES = {
    "nightly": {
        "summary": "An ETL of another system",
        "value": {"name": "nightly load", "description": "Copies the shop's orders at 02:00"},
    }
}


@router.post("/etls", status_code=201, summary="Enter an ETL")
async def catalog_etls_create(
    catalog: Process,
    caller: Writer,
    new: Annotated[NewEtl, Body(openapi_examples=EXAMPLES)],
    response: Response,
) -> EtlItem:
    """Enter an ETL by hand; a name that is taken is 409."""
    etl = await catalog.by_hand.enter_etl(caller, new.name, description=new.description)
    response.headers["Location"] = f"/api/catalog/etls/{quote(etl.key.name, safe='')}"
    return EtlItem.of_etl(etl)


@router.put("/etls/{etl:segment}/tables/{schema:segment}/{table:segment}", summary="Enter an edge")
async def catalog_edges_put(
    catalog: Process,
    caller: Writer,
    etl: EtlName,
    schema: SchemaName,
    table: TableName,
    namespace: Namespace = None,
    etl_namespace: EtlNamespace = None,
) -> EdgeAnswer:
    """Enter that an ETL feeds a table; an edge that is known already stays as it is.

    Schema and table are entered too when unknown, but for the schema `data`, whose tables enter the
    catalog when they are created; the ETL must be known.
    """
    address = EdgeAddress(etl, etl_namespace, schema_of(schema), table, namespace)
    return EdgeAnswer.of_edge(await catalog.by_hand.enter_edge(caller, address))


@router.delete(
    "/etls/{etl:segment}/tables/{schema:segment}/{table:segment}",
    status_code=204,
    summary="Take an edge out",
)
async def catalog_edges_delete(
    catalog: Process,
    caller: Writer,
    etl: EtlName,
    schema: SchemaName,
    table: TableName,
    namespace: Namespace = None,
    etl_namespace: EtlNamespace = None,
) -> None:
    """Take an edge out; it stays in the history (`removed`), and so do the ETL and the table.

    An edge that was entered by hand is removed by whoever entered it, one that an import or a scan
    saw by the owners of its table, both by admins; else 403 `edge_not_yours`. An import that feeds
    the table again brings the edge back.
    """
    address = EdgeAddress(etl, etl_namespace, schema_of(schema), table, namespace)
    await catalog.by_hand.remove_edge(caller, address)
