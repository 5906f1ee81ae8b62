"""Writing the catalog by hand (`catalog:write`)."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Response

from services.catalog.dependencies import EtlName, SchemaName, State, TableName, Writer
from services.catalog.domain import TableKey
from services.catalog.schemas import EdgeAnswer, EtlItem, NewEtl
from services.catalog.service import by_hand

router = APIRouter(prefix="/api/catalog", tags=["catalog"])

EXAMPLES = {
    "nightly": {
        "summary": "An ETL of another system",
        "value": {"name": "nightly load", "description": "Copies the shop's orders at 02:00"},
    }
}


@router.post("/etls", status_code=201, summary="Enter an ETL")
async def catalog_etls_create(
    state: State,
    caller: Writer,
    new: Annotated[NewEtl, Body(openapi_examples=EXAMPLES)],
    response: Response,
) -> EtlItem:
    """Enter an ETL by hand; a name that is taken is 409."""
    made = await by_hand.create_etl(state.engine, new, caller=caller)
    response.headers["Location"] = f"/api/catalog/etls/{quote(made.name, safe='')}"
    return made


@router.put("/etls/{etl:segment}/tables/{schema:segment}/{table:segment}", summary="Enter an edge")
async def catalog_edges_put(
    state: State, caller: Writer, etl: EtlName, schema: SchemaName, table: TableName
) -> EdgeAnswer:
    """Enter that an ETL feeds a table; an edge that is known already stays as it is.

    Schema and table are made when unknown, but for the schema `data`, whose tables enter the
    catalog when they are made; the ETL must be known.
    """
    return await by_hand.add_edge(
        state.engine, etl, TableKey(schema=schema, name=table), caller=caller
    )


@router.delete(
    "/etls/{etl:segment}/tables/{schema:segment}/{table:segment}",
    status_code=204,
    summary="Take an edge out",
)
async def catalog_edges_delete(
    state: State, caller: Writer, etl: EtlName, schema: SchemaName, table: TableName
) -> None:
    """Take an edge out; the ETL and the table stay.

    An import that feeds the table again brings the edge back.
    """
    await by_hand.remove_edge(state.engine, etl, TableKey(schema=schema, name=table), caller=caller)
