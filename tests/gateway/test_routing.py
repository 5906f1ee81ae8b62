import pytest

from gateway.routing import Service, rule_for, without_slash
from gateway.templates import Templates


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/token", Service.AUTH),
        ("/api/token/refresh", Service.AUTH),
        ("/api/auth/otp/verify", Service.AUTH),
        ("/api/audit", Service.AUTH),
        ("/.well-known/jwks.json", Service.AUTH),
        ("/api/catalog/tables/data/Customer", Service.CATALOG),
        ("/api/etl/customers.csv/tables", Service.CATALOG),
        ("/api/etl/postgresql%3A%2F%2Fhost%2Fdb/tables", Service.CATALOG),
        ("/api/v1/lineage", Service.CATALOG),
        ("/api/v1/lineage/batch", Service.CATALOG),
        ("/api/create-table", Service.RECORDS),
        ("/api/get-records", Service.RECORDS),
        ("/api/tables", Service.RECORDS),
        ("/api/tables/Customer/records/1", Service.RECORDS),
        ("/api/tables/%C3%89t%C3%A9", Service.RECORDS),
        ("/api/upload-csv", Service.INGEST),
        ("/api/data/file", Service.INGEST),
        ("/api/data/database", Service.INGEST),
        ("/api/imports", Service.INGEST),
        ("/api/imports/42/events", Service.INGEST),
        ("/api/sources/1/test", Service.INGEST),
    ],
)
def test_each_path_has_its_service(path: str, service: Service) -> None:
    rule = rule_for(path)
    assert rule is not None
    assert rule.service is service


@pytest.mark.parametrize(
    "path",
    [
        "/internal/openapi.json",
        "/internal",
        "//internal/subjects",
        "/api/../internal/subjects",
        "/api/%2e%2e/internal/subjects",
        "/api/tables/../../internal/subjects",
        "/api/tables/%2e%2e/%2E%2E/internal",
        "/api/tables/..%2f..%2finternal",
        "/api/tables/..%252f..%252finternal",
        "/api/tables/%252e%252e%252finternal",
        "/api/tables/..%5c..%5cinternal",
        "/api/tables/..\\..\\internal",
        "/api/tables/.",
        "/api/tables//internal",
        "/api/tables/",
        "/api/%69nternal",
        "/%69nternal/subjects",
        "/api//tables",
        "/API/tables",
        "/api/tablesx",
        "/api/token/other",
        "/api/auth",
        "/api/data/other",
        "/api",
        "/",
        "",
        "*",
        "/healthz",
    ],
)
def test_nobody_has_the_other_paths(path: str) -> None:
    assert rule_for(path) is None


@pytest.mark.parametrize(
    ("raw", "path"),
    [("/api/tables/", "/api/tables"), ("/api/tables//", "/api/tables/"), ("/", "/"), ("", "")],
)
def test_one_slash_is_dropped(raw: str, path: str) -> None:
    assert without_slash(raw) == path


def test_templates_prefer_fixed_parts_and_fall_back() -> None:
    templates = Templates(
        [
            "/api/tables",
            "/api/tables/{table}",
            "/api/tables/{table}/records",
            "/api/auth/users/{id}",
            "/api/auth/{what}/me",
        ]
    )
    assert templates.match("/api/tables") == "/api/tables"
    assert templates.match("/api/tables/Customer") == "/api/tables/{table}"
    assert templates.match("/api/tables/a%2Fb/records") == "/api/tables/{table}/records"
    assert templates.match("/api/auth/users/me") == "/api/auth/users/{id}"
    assert templates.match("/api/auth/other/me") == "/api/auth/{what}/me"
    assert templates.match("/api/tables/Customer/nothing") is None
    assert templates.match("/api") is None
