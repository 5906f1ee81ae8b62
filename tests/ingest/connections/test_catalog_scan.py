"""A database's tables enter the catalog under an ETL: all of them, or none."""

import secrets
from typing import Any

import pytest

from services.ingest.connections.oracle.scan import spelled
from shared.contracts.auth import Scope
from shared.contracts.catalog import ScannedColumn
from tests.ingest.connections.driving import ORACLE_PASSWORD, Elsewhere
from tests.support.databases import OWNER, PASSWORD
from tests.support.issuer import machine
from tests.support.oracle import types
from tests.support.oracle.database import Account, Column, OracleError, Table

PATH = "/api/data/database"


def postgres(elsewhere: Elsewhere) -> dict[str, Any]:
    return {
        "db_type": "postgres",
        "host": "127.0.0.1",
        "port": elsewhere.database.cluster.port,
        "dbname": elsewhere.database.name,
        "user": OWNER,
        "password": PASSWORD,
        "etl_name": "nightly",
    }


def oracle(elsewhere: Elsewhere) -> dict[str, Any]:
    return {
        "db_type": "oracle",
        "dsn": f"127.0.0.1:{elsewhere.oracle.port}/FREEPDB1",
        "user": "ann",
        "password": ORACLE_PASSWORD,
        "etl_name": "nightly",
    }


async def test_postgresqls_base_tables_with_columns_and_estimates(elsewhere: Elsewhere) -> None:
    await elsewhere.owner.execute(
        'CREATE SCHEMA "Ventes"; CREATE TABLE "Ventes"."Commandes é" (n numeric(10,2) NOT NULL);'
        "CREATE TABLE counted AS SELECT generate_series(1, 1000) AS a; ANALYZE counted;"
        "CREATE TABLE bare (); CREATE VIEW seen AS SELECT 1 AS one;"
    )
    import_ = await elsewhere.submit(path=PATH, **postgres(elsewhere))
    assert (import_["kind"], import_["table"]) == ("catalog_database", None)
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 3), body
    found = {
        (table.schema_name, table.table_name): table
        for table in elsewhere.ingest.peers.scanned["nightly"]
    }
    assert sorted(found) == [("Ventes", "Commandes é"), ("public", "bare"), ("public", "counted")]
    orders = found["Ventes", "Commandes é"]
    assert orders.columns == (ScannedColumn(name="n", type="numeric(10,2)", nullable=False),)
    assert orders.estimated_rows is None
    assert found["public", "counted"].estimated_rows == 1000
    assert found["public", "bare"].columns == ()


async def test_oracles_tables_with_columns_and_estimates(elsewhere: Elsewhere) -> None:
    columns = (
        Column("ID", types.number_(9), nullable=False),
        Column("NAME", types.varchar2(40)),
        Column("SEEN", types.TIMESTAMP_TZ),
    )
    elsewhere.put(Table("HR", "PEOPLE", columns, estimated_rows=12))
    elsewhere.put(Table("ANN", "Mixed", columns[:1]))
    elsewhere.put(Table("SYS", "TAB$", columns[:1]))
    import_ = await elsewhere.submit(path=PATH, **oracle(elsewhere))
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 2), body
    mixed, people = elsewhere.ingest.peers.scanned["nightly"]
    assert (mixed.schema_name, mixed.table_name, mixed.estimated_rows) == ("ANN", "Mixed", None)
    assert (people.schema_name, people.table_name, people.estimated_rows) == ("HR", "PEOPLE", 12)
    assert people.columns == (
        ScannedColumn(name="ID", type="NUMBER(9)", nullable=False),
        ScannedColumn(name="NAME", type="VARCHAR2(40)", nullable=True),
        ScannedColumn(name="SEEN", type="TIMESTAMP(6) WITH TIME ZONE", nullable=True),
    )


async def test_a_scan_says_which_schemas_it_saw_whole(elsewhere: Elsewhere) -> None:
    reader = f"reader_{secrets.token_hex(4)}"
    await elsewhere.owner.execute(
        f"CREATE ROLE {reader} LOGIN PASSWORD '{PASSWORD}';"
        "CREATE SCHEMA open; CREATE TABLE open.seen (a int); CREATE SCHEMA empty;"
        "CREATE SCHEMA shut; CREATE TABLE shut.seen (a int); CREATE TABLE shut.hidden (a int);"
        f"GRANT USAGE ON SCHEMA open, shut TO {reader};"
        f"GRANT SELECT ON open.seen, shut.seen TO {reader}"
    )
    given = postgres(elsewhere) | {"user": reader}
    import_ = await elsewhere.submit(path=PATH, **given)
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 2), body
    [(namespace, schemas)] = elsewhere.ingest.peers.scanned_schemas.items()
    assert namespace == f"postgres://127.0.0.1:{given['port']}/{given['dbname']}"
    assert schemas == {"empty": True, "open": True, "public": True, "shut": False}


@pytest.mark.parametrize("privileges", [(), ("SELECT ANY TABLE",)])
async def test_an_oracle_user_sees_its_own_schema_whole(
    elsewhere: Elsewhere, privileges: tuple[str, ...]
) -> None:
    elsewhere.oracle.database.privileges = privileges
    elsewhere.oracle.database.accounts["HR"] = Account(ORACLE_PASSWORD)
    elsewhere.put(Table("HR", "PEOPLE", (Column("ID", types.number_(9)),)))
    import_ = await elsewhere.submit(path=PATH, **oracle(elsewhere))
    async with elsewhere.ingest.working():
        await elsewhere.ingest.finished(import_)
    [(namespace, schemas)] = elsewhere.ingest.peers.scanned_schemas.items()
    assert namespace == f"oracle://127.0.0.1:{elsewhere.oracle.port}/FREEPDB1"
    assert (schemas["ANN"], schemas["HR"]) == (True, bool(privileges))


async def test_a_scan_that_breaks_off_adds_nothing(elsewhere: Elsewhere) -> None:
    columns = (Column("A", types.number_(9)),)
    for number in range(3000):
        elsewhere.put(Table("HR", f"T{number:04}", columns))
    faults = elsewhere.oracle.faults
    faults.drop_after_rows = 2500
    import_ = await elsewhere.submit(path=PATH, **oracle(elsewhere))
    async with elsewhere.ingest.working(retry_base_s=0.2):
        await elsewhere.ingest.until(
            "SELECT last_error IS NOT NULL FROM ingest.imports WHERE id = $1", import_["id"]
        )
        assert elsewhere.ingest.peers.scan_calls == 0
        faults.drop_after_rows = None
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 3000)
    assert len(elsewhere.ingest.peers.scanned["nightly"]) == 3000
    assert elsewhere.ingest.peers.scan_calls == 1


async def test_scanning_again_changes_nothing(elsewhere: Elsewhere) -> None:
    await elsewhere.owner.execute("CREATE TABLE one (a int)")
    async with elsewhere.ingest.working():
        for inserted in (1, 0):
            import_ = await elsewhere.submit(path=PATH, **postgres(elsewhere))
            body = await elsewhere.ingest.finished(import_)
            assert (body["rows"]["inserted"], body["rows"]["loaded"]) == (inserted, 1)


async def test_what_does_not_work_is_told_before_the_202(elsewhere: Elsewhere) -> None:
    given, other = postgres(elsewhere), oracle(elsewhere)
    cases: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({**given, "password": "x"}, ("password", "wrong_log_in")),
        ({**given, "host": "10.0.0.1"}, ("host", "host_not_allowed")),
        ({**other, "password": "x"}, ("password", "wrong_log_in")),
        (
            {**other, "dsn": f"127.0.0.1:{elsewhere.oracle.port}/NOWHERE"},
            ("service_name", "unknown_service"),
        ),
    ]
    for body, reason in cases:
        assert await elsewhere.refused(path=PATH, **body) == (422, [reason])
    elsewhere.oracle.faults.on_statement = _no_session
    assert (await elsewhere.refused(path=PATH, **other))[0] == 422


def _no_session(_sql: str) -> None:
    raise OracleError(1031, "insufficient privileges")


async def test_oracle_takes_host_port_and_service_too(elsewhere: Elsewhere) -> None:
    elsewhere.put(Table("ANN", "T", (Column("A", types.number_(9)),)))
    body = {
        "db_type": "oracle",
        "host": "127.0.0.1",
        "port": str(elsewhere.oracle.port),
        "dbname": "FREEPDB1",
        "user": "ann",
        "password": ORACLE_PASSWORD,
        "etl_name": "nightly",
    }
    import_ = await elsewhere.submit(path=PATH, **body)
    async with elsewhere.ingest.working():
        assert (await elsewhere.ingest.finished(import_))["rows"]["loaded"] == 1


async def test_bodies_that_make_no_sense_are_refused(elsewhere: Elsewhere) -> None:
    given, other = postgres(elsewhere), oracle(elsewhere)
    for body, field in (
        ({**given, "dsn": "a:1/b"}, "body"),
        ({**given, "db_type": "mysql"}, "db_type"),
        ({name: value for name, value in given.items() if name != "dbname"}, "dbname"),
        ({name: value for name, value in given.items() if name != "host"}, "host"),
        ({name: value for name, value in given.items() if name != "etl_name"}, "etl_name"),
        ({**other, "dsn": "(DESCRIPTION=(ADDRESS=(HOST=x)))"}, "dsn"),
        ({**other, "dsn": "host/service"}, "dsn"),
        ({**other, "host": "x"}, "body"),
        ({**given, "extra": 1}, "extra"),
    ):
        answer = await elsewhere.send(PATH, body)
        fields = [error["field"] for error in answer.json()["errors"]]
        assert (answer.status_code, fields) == (422, [field]), body
    reader = machine("importer", Scope.IMPORTS_WRITE)
    assert (await elsewhere.send(PATH, given, caller=reader)).status_code == 403


def test_types_are_spelled_as_create_table_would() -> None:
    def row(name: str, **given: object) -> dict[str, object]:
        empty = dict.fromkeys(("data_length", "data_precision", "data_scale", "char_length"))
        return {"data_type": name, **empty, **given}

    assert spelled(row("NUMBER")) == "NUMBER"
    assert spelled(row("NUMBER", data_scale=0)) == "NUMBER(38,0)"
    assert spelled(row("NUMBER", data_precision=9, data_scale=0)) == "NUMBER(9)"
    assert spelled(row("NUMBER", data_precision=9, data_scale=-2)) == "NUMBER(9,-2)"
    assert spelled(row("FLOAT", data_precision=126)) == "FLOAT(126)"
    assert spelled(row("VARCHAR2", data_length=160, char_length=40)) == "VARCHAR2(40)"
    assert spelled(row("RAW", data_length=16)) == "RAW(16)"
    assert spelled(row("DATE")) == "DATE"
