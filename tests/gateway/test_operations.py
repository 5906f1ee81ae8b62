import aiohttp

from deploy.local.processes import free_port
from shared import __version__
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import FakeService, running_gateway


async def test_healthz_says_that_the_process_lives(http: aiohttp.ClientSession) -> None:
    async with http.get("/healthz") as answer:
        assert await answer.json() == {"status": "ok", "version": __version__}


async def test_readyz_asks_every_dependency_by_name(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    names = {"auth", "catalog", "records", "ingest", "redis"}
    async with http.get("/readyz") as answer:
        assert answer.status == 200
        assert (await answer.json())["checks"] == dict.fromkeys(names, "ok")
    service.ready = False
    async with http.get("/readyz") as answer:
        assert answer.status == 503
        checks = (await answer.json())["checks"]
        assert checks["redis"] == "ok"
        assert checks["records"] != "ok"


async def test_readyz_names_redis(service: FakeService, settings: SettingsMaker) -> None:
    away = settings(service.url, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    async with (
        running_gateway(away) as gateway,
        gateway.client() as http,
        http.get("/readyz") as answer,
    ):
        assert answer.status == 503
        checks = (await answer.json())["checks"]
        assert {name for name, said in checks.items() if said != "ok"} == {"redis"}


async def test_metrics_speak_of_templates(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    service.document["paths"] = {"/api/tables/{table}": {"get": {"operationId": "tables_get"}}}
    async with http.get("/openapi.json") as answer:
        assert answer.status == 200
    async with http.get("/api/tables/OneOfMany") as answer:
        assert answer.status == 200
    async with http.get("/metrics") as answer:
        text = await answer.text()
    assert 'route="/api/tables/{table}",service="gateway",status="200"' in text
    assert "OneOfMany" not in text
    assert "tabularium_gateway_requests_running" in text


async def test_metrics_can_have_a_port_of_their_own(
    service: FakeService, settings: SettingsMaker
) -> None:
    port = free_port()
    async with running_gateway(settings(service.url, metrics_port=port)) as gateway:
        async with gateway.client() as http, http.get("/metrics") as answer:
            assert answer.status == 404
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
            http.get("/metrics") as answer,
        ):
            assert "tabularium_gateway_requests_running" in await answer.text()


async def test_answers_are_neither_kept_nor_sniffed(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    for path in ("/api/tables", "/api/nothing", "/healthz"):
        async with http.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
    async with http.get("/openapi.json") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
