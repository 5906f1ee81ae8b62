"""Writing the catalog by hand (`catalog:write`)."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Response

from services.catalog.dependencies import EtlName, Process, SchemaName, TableName, Writer
from services.catalog.domain import TableKey
from services.catalog.schemas import EdgeAnswer, EtlItem, NewEtl

router = APIRouter(prefix="/api/catalog", tags=["catalog"])

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
    response.headers["Location"] = f"/api/catalog/etls/{quote(etl.name, safe='')}"
    return EtlItem.of(etl)


@router.put("/etls/{etl:segment}/tables/{schema:segment}/{table:segment}", summary="Enter an edge")
async def catalog_edges_put(
    catalog: Process, caller: Writer, etl: EtlName, schema: SchemaName, table: TableName
) -> EdgeAnswer:
    """Enter that an ETL feeds a table; an edge that is known already stays as it is.

    Schema and table are entered too when unknown, but for the schema `data`, whose tables enter the
    catalog when they are created; the ETL must be known.
    """
    return EdgeAnswer.of_edge(
        await catalog.by_hand.enter_edge(caller, etl, TableKey(schema, table))
    )


@router.delete(
    "/etls/{etl:segment}/tables/{schema:segment}/{table:segment}",
    status_code=204,
    summary="Take an edge out",
)
async def catalog_edges_delete(
    catalog: Process, caller: Writer, etl: EtlName, schema: SchemaName, table: TableName
) -> None:
    """Take an edge out; the ETL and the table stay.

    An import that feeds the table again brings the edge back.
    """
    await catalog.by_hand.remove_edge(caller, etl, TableKey(schema, table))
