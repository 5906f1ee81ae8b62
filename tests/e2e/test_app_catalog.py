"""The page at `/app`: feeds, and the catalog's lineage walked from box to box."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import App
from tests.support.browser import needs_chromium
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack
from tests.support.waiting import until_now

pytestmark = needs_chromium


def event(job: str, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    def dataset(name: str) -> dict[str, str]:
        return {"namespace": "postgres://warehouse:5432", "name": name}

    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-28T02:00:00Z",
        "producer": "https://example.com/airflow",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(uuid.uuid4())},
        "job": {"namespace": "airflow", "name": job},
        "inputs": [dataset(name) for name in inputs],
        "outputs": [dataset(name) for name in outputs],
    }


@pytest.fixture
def sales(stack: RunningStack) -> str:
    """The name that ends what a nightly load reads and writes: orders → load → sales → report."""
    end = uuid.uuid4().hex[:8]
    events = [
        event(f"load_{end}", [f"shop.public.orders_{end}"], [f"shop.mart.sales_{end}"]),
        event(f"publish_{end}", [f"shop.mart.sales_{end}"], [f"shop.mart.report_{end}"]),
    ]
    with stack.signed_in() as http:
        for each in events:
            assert http.post("/api/v1/lineage", json=each).is_success
        until_now(
            "the events in the catalog",
            lambda: http.get("/api/catalog/search", params={"q": f"report_{end}"}).json()["items"],
        )
    return end


def boxes(app: App) -> list[str]:
    return app.texts(".box b")


@only_in_full
def test_lineage_is_found_by_words_and_walked(app: App, stack: RunningStack, sales: str) -> None:
    app.open(f"/app/lineage?q=sales_{sales}")
    app.sign_in(stack)
    app.wait_for(".list")
    app.is_in_order()
    app.press(f"sales_{sales}")
    app.wait_for(".picture")
    app.wait_for_text("ul.plain", f"load_{sales}")
    assert set(boxes(app)) == {
        f"orders_{sales}",
        f"load_{sales}",
        f"sales_{sales}",
        f"publish_{sales}",
        f"report_{sales}",
    }
    lefts = dict(
        app.browser.execute_script(
            "return [...document.querySelectorAll('.box')].map(box =>"
            " [box.querySelector('b').innerText, box.getBoundingClientRect().x])"
        )
    )
    way = [f"{name}_{sales}" for name in ("orders", "load", "sales", "publish", "report")]
    assert sorted(way, key=lambda name: lefts[name]) == way
    app.is_in_order()

    app.browser.execute_script(
        "[...document.querySelectorAll('.box')].find(box => box.textContent.startsWith('report'))"
        ".click()"
    )
    app.wait_for_text("h1", f"report_{sales}")
    app.choose(app.wait_for("select[aria-label=Direction]"), "downstream")
    app.wait_until(lambda: "direction=downstream" in app.browser.current_url)
    app.wait_until(lambda: boxes(app) == [f"report_{sales}"])


@only_in_full
def test_a_feed_takes_a_file_and_shows_how_it_does(
    app: App, stack: RunningStack, tmp_path: Path
) -> None:
    name = f"prices {uuid.uuid4().hex[:8]}/<b>"
    table = f"Price_{uuid.uuid4().hex[:8]}"
    file = tmp_path / "prices.csv"
    file.write_text("sku,price\nA-1,1.50\nA-2,2.50\n", encoding="utf-8")
    with stack.signed_in() as http:
        feed = {
            "name": name,
            "table": table,
            "from": {"kind": "push"},
            "options": {"mode": "append", "create_table": True},
        }
        assert http.post("/api/feeds", json=feed).is_success

    app.open("/app/feeds")
    app.sign_in(stack)
    app.press(name)
    app.wait_for("input#push").send_keys(str(file))
    app.wait_until(lambda: app.tiles().get("added") == "2")
    app.press(name)
    app.wait_for(".runs tbody tr")
    label = "1 run, none failed; the last one loaded 2 rows"
    app.wait_for(f"svg.spark[aria-label='{label}']")
    app.is_in_order()
    app.press("Pause")
    app.wait_for_text(".badge", "paused")
    app.press("Remove")
    assert "Its imports and their rows stay" in app.answer("Remove it")
    app.wait_until(lambda: app.browser.current_url.endswith("/app/feeds"))
    app.wait_for("h1")
    app.is_in_order()
    with stack.signed_in() as http:
        assert all(each["name"] != name for each in http.get("/api/feeds").json()["items"])
