"""The merging of documents, and what is done about services that come and go."""

import json
from typing import Any

import aiohttp

from deploy.local.processes import free_port
from gateway.documents import Documents
from gateway.openapi import merge
from gateway.proxy import Upstream
from gateway.routing import Service
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import FakeService, running_gateway, running_service


def document(paths: dict[str, Any], **schemas: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {}, "paths": paths, "components": {"schemas": schemas}}


def operation(name: str, **more: Any) -> dict[str, Any]:
    return {"operationId": name, "responses": {"200": {"description": "ok"}}, **more}


def test_paths_of_all_services_stand_in_one_document() -> None:
    merged = merge(
        {
            Service.RECORDS: document({"/api/tables": {"get": operation("tables_list")}}),
            Service.AUTH: document({"/api/auth/me": {"get": operation("auth_me")}}),
        },
        missing=[],
    )
    assert list(merged["paths"]) == ["/api/auth/me", "/api/tables"]
    assert merged["openapi"] == "3.1.0"
    assert "x-missing" not in merged


def test_what_the_gateway_does_not_route_is_left_out() -> None:
    merged = merge(
        {
            Service.RECORDS: document(
                {
                    "/internal/contracts": {"post": operation("contracts")},
                    "/healthz": {"get": operation("healthz")},
                    "/api/tables": {"get": operation("tables_list")},
                }
            )
        },
        missing=[],
    )
    assert list(merged["paths"]) == ["/api/tables"]


def test_schemas_of_one_name_and_two_shapes_are_told_apart() -> None:
    both = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Page", "Same")]}
    answer = {"content": {"application/json": {"schema": both}}}
    paths = {"/api/catalog/etls": {"get": operation("etls", responses={"200": answer})}}
    tables = {"/api/tables": {"get": operation("tables", responses={"200": answer})}}
    merged = merge(
        {
            Service.CATALOG: document(paths, Page={"type": "object"}, Same={"type": "string"}),
            Service.RECORDS: document(tables, Page={"type": "array"}, Same={"type": "string"}),
        },
        missing=[],
    )
    assert set(merged["components"]["schemas"]) == {"Page", "RecordsPage", "Same"}

    def reference(path: str) -> str:
        content = merged["paths"][path]["get"]["responses"]["200"]["content"]
        return str(content["application/json"]["schema"]["anyOf"][0]["$ref"])

    assert reference("/api/catalog/etls") == "#/components/schemas/Page"
    assert reference("/api/tables") == "#/components/schemas/RecordsPage"
    assert merged["components"]["schemas"]["RecordsPage"] == {"type": "array"}


def test_operation_ids_are_unique() -> None:
    merged = merge(
        {
            Service.CATALOG: document({"/api/catalog/tables": {"get": operation("tables_list")}}),
            Service.RECORDS: document({"/api/tables": {"get": operation("tables_list")}}),
        },
        missing=[],
    )
    assert merged["paths"]["/api/catalog/tables"]["get"]["operationId"] == "tables_list"
    assert merged["paths"]["/api/tables"]["get"]["operationId"] == "records_tables_list"


def test_problems_have_their_media_type_and_files_their_format() -> None:
    reference = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    upload = {
        "properties": {
            "file": {"type": "string", "contentMediaType": "application/octet-stream"},
            "table": {"type": "string"},
        }
    }
    merged = merge(
        {
            Service.INGEST: document(
                {
                    "/api/imports": {
                        "post": operation(
                            "imports_create",
                            requestBody={"content": {"multipart/form-data": {"schema": upload}}},
                            responses={
                                "4XX": {
                                    "content": {
                                        "application/json": reference,
                                        "application/problem+json": {},
                                    }
                                }
                            },
                        )
                    }
                },
            )
        },
        missing=[],
    )
    post = merged["paths"]["/api/imports"]["post"]
    assert "4XX" not in post["responses"]
    for status in ("400", "409", "413", "415", "422", "429"):
        assert post["responses"][status]["content"] == {"application/problem+json": reference}
    assert "412" not in post["responses"]
    fields = post["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert fields["file"]["format"] == "binary"
    assert "format" not in fields["table"]


def test_only_schemas_that_the_paths_lead_to_are_kept() -> None:
    inner = {"properties": {"deep": {"$ref": "#/components/schemas/Deep"}}}
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Top"}}}}
    paths = {
        "/api/tables": {"get": operation("tables_list", responses={"200": answer})},
        "/internal/x": {"get": operation("x")},
    }
    services = {Service.RECORDS: document(paths, Top=inner, Deep={}, Internal={})}
    merged = merge(services, missing=[])
    assert set(merged["components"]["schemas"]) == {"Top", "Deep"}


def test_a_body_without_an_example_gets_one_and_one_with_keeps_it() -> None:
    def body(**own: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"type": "object"}, **own}}}

    paths = {
        "/api/tables": {"post": operation("tables_create", requestBody=body())},
        "/api/delete-table": {
            "delete": operation("delete_table_action", requestBody=body(example={"mine": 1}))
        },
    }
    merged = merge({Service.RECORDS: document(paths)}, missing=[])

    def example(path: str, method: str) -> Any:
        content = merged["paths"][path][method]["requestBody"]["content"]
        return content["application/json"]["example"]

    assert example("/api/tables", "post")["name"] == "Customer"
    assert example("/api/delete-table", "delete") == {"mine": 1}


def test_streams_are_described_in_words_of_3_1() -> None:
    problem = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    responses = {
        "200": {"content": {"text/event-stream": {"itemSchema": {"type": "object"}}}},
        "4XX": {"content": {"application/problem+json": {}, "text/event-stream": problem}},
    }
    paths = {"/api/imports/{id}/events": {"get": operation("events", responses=responses)}}
    merged = merge({Service.INGEST: document(paths)}, missing=[])
    answers = merged["paths"]["/api/imports/{id}/events"]["get"]["responses"]
    stream = answers["200"]["content"]["text/event-stream"]
    assert stream["schema"] == {"type": "string"}
    assert stream["example"].startswith("event: ")
    assert answers["404"]["content"] == {"application/problem+json": problem}


def test_tags_are_described_and_ordered() -> None:
    merged = merge(
        {
            Service.RECORDS: document(
                {
                    "/api/tables": {
                        "get": operation("a", tags=["tables"]),
                        "post": operation("b", tags=["records"]),
                        "put": operation("c", tags=["something new"]),
                        "patch": operation("d"),
                    }
                }
            )
        },
        missing=[],
    )
    names = [tag["name"] for tag in merged["tags"]]
    assert names[:2] == ["tables", "records"]
    assert merged["tags"][0]["description"]


def test_a_missing_service_is_named() -> None:
    merged = merge({}, missing=[Service.RECORDS])
    assert merged["x-missing"] == ["records"]
    assert "records does not answer" in merged["info"]["description"]


async def test_documents_are_kept_while_a_service_is_away_and_asked_for_again() -> None:
    starting = running_service()
    first = await starting.__aenter__()
    first.document = document({"/api/tables": {"get": operation("tables_list")}})
    upstreams = {
        Service.RECORDS: Upstream.at(Service.RECORDS, first.url),
        Service.AUTH: Upstream.at(Service.AUTH, f"http://127.0.0.1:{free_port()}"),
    }
    async with aiohttp.ClientSession() as session:
        documents = Documents(session, upstreams, fresh_s=0)

        async def content() -> dict[str, Any]:
            merged: dict[str, Any] = json.loads((await documents.merged(origin="http://a")).body)
            return merged

        assert list((await content())["paths"]) == ["/api/tables"]
        assert (await content())["x-missing"] == ["auth"]
        first.document = document({"/api/tables/{table}": {"get": operation("tables_get")}})
        assert list((await content())["paths"]) == ["/api/tables/{table}"]
        await starting.__aexit__(None, None, None)
        assert list((await content())["paths"]) == ["/api/tables/{table}"]
        assert documents.templates.match("/api/tables/x") == "/api/tables/{table}"


async def test_the_token_url_is_where_the_reader_reaches_the_gateway(
    settings: SettingsMaker,
) -> None:
    flow = {"tokenUrl": "/api/auth/token", "scopes": {}}
    async with running_service() as service:
        service.document = document({})
        service.document["components"]["securitySchemes"] = {
            "Oauth": {"type": "oauth2", "flows": {"password": flow}}
        }
        chosen = settings(service.url, public_url="https://tab.example", trusted_proxies="10.0.0.1")
        async with running_gateway(chosen) as gateway, gateway.client() as http:

            async def token_url(host: str) -> str:
                async with http.get("/openapi.json", headers={"Host": host}) as answer:
                    content = json.loads(await answer.read())
                schemes = content["components"]["securitySchemes"]
                return str(schemes["Oauth"]["flows"]["password"]["tokenUrl"])

            assert await token_url("localhost:99") == "http://localhost:99/api/auth/token"
            assert await token_url("tab.example") == "https://tab.example/api/auth/token"


async def test_the_document_has_an_etag(service: FakeService, http: aiohttp.ClientSession) -> None:
    async with http.get("/openapi.json") as answer:
        etag = answer.headers["ETag"]
    async with http.get("/openapi.json", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
