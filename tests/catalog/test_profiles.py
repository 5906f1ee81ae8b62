"""Profiles of tables: ingest's, for those who may read the table."""

from datetime import UTC, datetime

from shared.contracts.ingest import ColumnProfile, TableProfile
from tests.catalog.conftest import Catalog
from tests.catalog.test_details import customer
from tests.support.issuer import person

PATH = "/api/catalog/tables/data/Customer/profile"


def profile_of(import_id: int) -> TableProfile:
    column = ColumnProfile(
        column="name", type="TEXT", nulls=1, distinct=2, distinct_approximate=False
    )
    return TableProfile(
        rows=3,
        columns=(column,),
        import_=import_id,
        profiled_at=datetime(2026, 3, 1, tzinfo=UTC),
        table="Customer",
    )


async def test_a_table_has_the_profile_of_its_newest_import_or_of_the_one_asked_for(
    catalog: Catalog,
) -> None:
    await customer(catalog)
    catalog.peers.profiles["Customer"] = [profile_of(9), profile_of(12)]
    newest = (await catalog.get(PATH)).json()
    assert (newest["import"], newest["rows"], newest["columns"][0]["nulls"]) == (12, 3, 1)
    assert (await catalog.get(PATH, {"import": 9})).json()["import"] == 9
    missing = await catalog.get(PATH, {"import": 7})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_profile_as_a_picture(catalog: Catalog) -> None:
    await customer(catalog)
    catalog.peers.profiles["Customer"] = [profile_of(9)]
    answer = await catalog.get(PATH, {"format": "svg"})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.text == "<svg/>"


async def test_no_profile_for_those_who_may_not_read_the_table(catalog: Catalog) -> None:
    await customer(catalog)
    catalog.peers.profiles["Customer"] = [profile_of(9)]
    answer = await catalog.get(PATH, caller=person("eve@example.com"))
    assert answer.status_code == 404
    await catalog.see_edge("elsewhere", "public", "orders")
    assert (await catalog.get("/api/catalog/tables/public/orders/profile")).status_code == 404
    assert (await catalog.get("/api/catalog/tables/data/Nothing/profile")).status_code == 404


async def test_while_ingest_is_away_there_is_no_answer(catalog: Catalog) -> None:
    await customer(catalog)
    catalog.peers.away.add("ingest")
    assert (await catalog.get(PATH)).status_code == 503
