"""It does not matter which gateway is asked and which machine works."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.ingest.feeds.serving import file_server
from tests.several_machines.machines import PIECE, TUS, Machines, Process, events
from tests.several_machines.people import HELD, ROWS, is_in_the_catalog, is_whole, loaded, people
from tests.support.profile import only_in_full
from tests.support.waiting import until

pytestmark = only_in_full


async def test_imports_are_followed_at_any_gateway_whoever_works_on_them(
    machines: Machines,
) -> None:
    await machines.make_table("followed")
    one, other = machines.gateways
    imports = [
        await machines.submit(
            "followed",
            people(of=f"file {n}", bad=2),
            etl_name=f"followed {n}",
            email=f"reader-{n}@example.com",
        )
        for n in range(6)
    ]

    async def told(http: httpx2.AsyncClient, import_: Mapping[str, Any]) -> dict[str, Any]:
        *_, last = [body async for _, _, body in events(http, import_)]
        return last

    for n, import_ in enumerate(imports):
        done, again = await asyncio.gather(told(one, import_), told(other, import_))
        assert (done["state"], done["rows"]) == (again["state"], again["rows"])
        assert is_whole(done, bad=2)
        assert await loaded(machines, "followed", import_) == (ROWS - 2, ROWS - 2)
        reports = [(await http.get(import_["links"]["rejects"])).text for http in machines.gateways]
        assert reports[0] == reports[1]
        assert len(reports[0].splitlines()) == 3
        await machines.mailbox.wait_for_one_to(f"reader-{n}@example.com")
        await is_in_the_catalog(machines, f"followed {n}", "followed")
    await machines.until("SELECT count(*) = 0 FROM ingest.outbox")
    for n in range(len(imports)):
        assert len(machines.mailbox.to(f"reader-{n}@example.com")) == 1


async def test_a_key_makes_one_import_at_all_gateways(machines: Machines) -> None:
    await machines.make_table("keyed")
    answers = await asyncio.gather(
        *(
            http.post(
                "/api/imports",
                data={"table": "keyed"},
                files={"file": ("keyed.csv", people())},
                headers={"Idempotency-Key": "once, please"},
            )
            for http in machines.gateways * 3
        )
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    taken = [answer.json() for answer in answers if answer.status_code == 202]
    assert len({import_["id"] for import_ in taken}) == 1
    assert is_whole(await machines.finished(taken[0]))
    assert await machines.owner.fetchval('SELECT count(*) FROM data."keyed"') == ROWS


async def test_an_import_is_cancelled_at_the_other_gateway(machines: Machines) -> None:
    await machines.make_table("cancelled")
    one, other = machines.gateways
    async with machines.held("cancelled", HELD):
        import_ = await machines.submit("cancelled", people())
        await machines.stands_in_copy(import_)
        for http in (one, other):
            assert (await http.get(import_["links"]["self"])).json()["state"] == "running"
        answer = await other.post(f"/api/imports/{import_['id']}/cancel")
        assert answer.status_code == 202, answer.text
        assert (await machines.finished(import_))["state"] == "cancelled"
        await machines.until(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = $1",
            f"tabularium-ingest:import:{import_['id']}",
        )
    assert await loaded(machines, "cancelled", import_) == (0, 0)
    retried = await one.post(f"/api/imports/{import_['id']}/retry")
    assert retried.status_code == 202, retried.text
    assert is_whole(await machines.finished(import_))
    assert await loaded(machines, "cancelled", import_) == (ROWS, ROWS)


async def test_an_upload_goes_on_at_the_other_gateway(machines: Machines) -> None:
    await machines.make_table("resumed")
    one, other = machines.gateways
    content = people()
    headers = {**TUS, "Upload-Length": str(len(content))}
    begun = await one.post("/api/uploads", headers=headers)
    assert begun.status_code == 201, begun.text
    path, at = begun.headers["location"], 0
    for http, end in ((one, 9_000), (other, 20_000), (one, 30_000), (other, len(content))):
        offset = await http.head(path, headers=TUS)
        assert offset.headers["upload-offset"] == str(at)
        piece = {**TUS, "Upload-Offset": str(at), "Content-Type": PIECE}
        answer = await http.patch(path, content=content[at:end], headers=piece)
        assert answer.status_code == 204, answer.text
        at = end
    upload = (await one.get(path)).json()
    assert upload["sha256"] == hashlib.sha256(content).hexdigest()
    for http in machines.gateways:
        preview = await http.post(
            "/api/previews", json={"upload": upload["id"], "table": "resumed", "rows": 2}
        )
        assert preview.status_code == 200, preview.text
        assert preview.json()["rows_read"] == ROWS
    import_ = await other.post("/api/imports", json={"upload": upload["id"], "table": "resumed"})
    assert import_.status_code == 202, import_.text
    assert is_whole(await machines.finished(import_.json()))


async def test_what_one_gateway_showed_the_other_imports(machines: Machines) -> None:
    await machines.make_table("previewed")
    one, other = machines.gateways
    preview = await one.post(
        "/api/previews",
        data={"table": "previewed"},
        files={"file": ("previewed.csv", people(bad=1))},
    )
    assert preview.status_code == 200, preview.text
    assert [problem["line"] for problem in preview.json()["problems"]] == [2]
    import_ = await other.post(
        "/api/imports", json={"upload": preview.json()["upload"], "table": "previewed"}
    )
    assert import_.status_code == 202, import_.text
    assert is_whole(await machines.finished(import_.json()), bad=1)


async def test_each_tick_of_a_feed_is_taken_by_one_of_three_workers(machines: Machines) -> None:
    async with file_server() as server:
        for n in range(8):
            await machines.make_table(f"fed_{n}")
            feed = {
                "name": f"feed {n}",
                "table": f"fed_{n}",
                "from": {"kind": "http", "url": server.url},
                "schedule": {"cron": "0 0 1 1 *"},
            }
            await machines.call("POST", "/api/feeds", json=feed, status=201)
        await machines.owner.execute("UPDATE ingest.feeds SET next_run_at = now()")
        await machines.until(
            "SELECT count(*) = 8 FROM ingest.imports WHERE planned_at IS NOT NULL"
            " AND state = 'succeeded'"
        )
        for n in range(8):
            answer = await machines.call("GET", f"/api/feeds/feed%20{n}")
            (run,) = answer.json()["history"]
            assert run["rows"]["loaded"] == 2
            assert await machines.owner.fetchval(f'SELECT count(*) FROM data."fed_{n}"') == 2
        planned = "SELECT count(*) FROM ingest.imports WHERE planned_at IS NOT NULL"
        assert await machines.owner.fetchval(planned) == 8


async def test_corrections_and_an_undo_are_asked_of_another_gateway_than_the_import(
    machines: Machines,
) -> None:
    await machines.make_table("corrected")
    one, other = machines.gateways
    import_ = await machines.submit("corrected", people(bad=3))
    assert is_whole(await machines.finished(import_), bad=3)
    rows = [{"line": 2, "values": {"age": 7}}, {"line": 3, "values": {"age": 8}}]
    for http, some in ((other, rows[:1]), (one, rows[1:])):
        answer = await http.post(f"/api/imports/{import_['id']}/corrections", json={"rows": some})
        assert answer.status_code == 202, answer.text
        assert (await machines.finished(answer.json()))["state"] == "succeeded"
    for http in machines.gateways:
        first = (await http.get(import_["links"]["self"])).json()
        assert (first["rows"]["rejected"], first["rows"]["corrected"]) == (1, 2)
    assert await loaded(machines, "corrected", import_) == (ROWS - 1, ROWS - 1)
    undo = await other.post(f"/api/imports/{import_['id']}/undo", json={"edited": "refuse"})
    assert undo.status_code == 202, undo.text
    assert (await machines.finished(undo.json()))["state"] == "succeeded"
    assert await loaded(machines, "corrected", import_) == (0, 0)


async def test_what_changes_at_one_gateway_holds_at_the_other(machines: Machines) -> None:
    await machines.make_table("changed")
    for turn in range(4):
        first, second = machines.gateways[turn % 2], machines.gateways[1 - turn % 2]
        add = {"add": [{"name": f"note_{turn}", "type": "TEXT"}]}
        assert (await first.patch("/api/tables/changed", json=add)).status_code == 200
        for http in (second, second, first):
            record = await http.post(
                "/api/tables/changed/records",
                json={"name": f"{turn} {id(http)} {await _serial(machines)}", f"note_{turn}": "x"},
            )
            assert record.status_code == 201, record.text
            read = await first.get(f"/api/tables/changed/records/{record.json()['id']}")
            assert read.json()[f"note_{turn}"] == "x"
    made = await machines.call(
        "POST",
        "/api/auth/api-keys",
        json={"name": "short-lived", "scopes": ["tables:read"]},
        status=201,
    )
    bearer = {"Authorization": f"Bearer {made.json()['key']}"}
    for http in machines.gateways * 2:
        assert (await http.get("/api/tables", headers=bearer)).status_code == 200
    await machines.call("DELETE", f"/api/auth/api-keys/{made.json()['id']}", status=204)
    for http in machines.gateways:

        async def is_refused(http: httpx2.AsyncClient = http) -> bool:
            return bool((await http.get("/api/tables", headers=bearer)).status_code == 401)

        await until("the key is refused", is_refused)


async def _serial(machines: Machines) -> int:
    number: int = await machines.owner.fetchval('SELECT count(*) FROM data."changed"')
    return number


async def test_each_process_has_its_metrics_and_the_queue_is_the_same_at_all(
    machines: Machines,
) -> None:
    await machines.make_table("measured")
    assert is_whole(await machines.finished(await machines.submit("measured", people())))
    states = await machines.owner.fetch(
        "SELECT state, count(*) AS number FROM ingest.imports GROUP BY state"
    )
    queue = {f'tabularium_imports{{state="{row["state"]}"}} {row["number"]:.1f}' for row in states}
    for ingest in machines.named("ingest"):

        async def counted(ingest: Process = ingest) -> bool:
            return queue <= set((await ingest.metrics()).splitlines())

        await until("the queue is counted", counted)
    for process in machines.processes:
        text = await process.metrics()
        assert "process_resident_memory_bytes" in text
        if process.name != "ingest":
            assert not re.search(r"^tabularium_imports", text, re.MULTILINE), str(process)
