"""Takes the pictures of docs/app.md and of Swagger UI from a browser, on a fresh stack of its own.

    python -m tests.clients.screenshots     # writes docs/app/*.png and docs/swagger.png

It needs chromium and chromedriver.

The stack gets a few tables, imports, feeds and lineage events, as a small shop would have them.
"""

import random
import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx2

from tests.support.app import App
from tests.support.browser import chromium
from tests.support.imports import finished
from tests.support.stack import RunningStack, running_stack
from tests.support.swagger import SwaggerUI

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "app"
DESK = (1280, 860)
WIDE = (1440, 860)
"""A grid of four columns beside the options."""
TALL = (1280, 1200)
"""All of an import."""
PHONE = (390, 844)
MESSY = """\
"Customer report, November"

Name;Born;City;Balance
Ann Archer;12.04.1987;Zürich;1.204,50
Bob Baker;31.02.1990;Bern;99,00
Éva Novák;05.11.1979;Brno;-3,25
Carl Clay;17.08.2001;Łódź;n/a
Dora Dane;28.02.1995;Wien;12,00
Emil Ek;09.12.1968;Malmö;1.000,00
Fay Frost;1.13.1975;Oslo;430,10
"""
OPTIONS = {
    "create_table": "true",
    "types": '{"Born": "DATE", "Balance": "NUMERIC(12,2)"}',
    "date_format": "%d.%m.%Y",
    "decimal": ",",
    "thousands": ".",
}
DATASETS = "postgres://warehouse:5432"
JOBS = (
    ("load_orders", ("shop.public.orders", "shop.public.customers"), ("dwh.raw.orders",)),
    ("load_products", ("shop.public.products",), ("dwh.raw.products",)),
    ("daily_sales", ("dwh.raw.orders", "dwh.raw.products"), ("dwh.mart.daily_sales",)),
    ("report", ("dwh.mart.daily_sales",), ("dwh.mart.revenue", "dwh.mart.stock")),
)


def main() -> None:
    """Take all of them."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tabularium-pictures-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's user goes through it
        with running_stack(folder / "stack") as stack, chromium(folder / "profile") as browser:
            import_id = fill(stack)
            for picture in take(App(browser, stack.url), stack, import_id, folder):
                sys.stdout.write(f"{picture}\n")
            calls = try_a_call(SwaggerUI(browser, stack.url), stack, import_id)
            sys.stdout.write(f"{calls}\n")


def fill(stack: RunningStack) -> int:
    """Make what the pictures show; the id of an import with refused rows."""
    with stack.signed_in() as http:
        for job, inputs, outputs in JOBS:
            http.post("/api/v1/lineage", json=event(job, inputs, outputs)).raise_for_status()
        make_orders(http)
        make_feed(http)
        run = http.post(
            "/api/imports",
            files={"file": ("customers.csv", MESSY)},
            data={"table": "Customers", **OPTIONS},
        ).json()
        assert finished(http, run)["rows"]["rejected"] == 3
        number: int = run["id"]
        return number


def event(job: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> dict[str, Any]:
    """An event of OpenLineage: a job that is complete."""
    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-28T02:00:00Z",
        "producer": "https://example.com/airflow",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(uuid.uuid4())},
        "job": {"namespace": "airflow", "name": job},
        "inputs": [{"namespace": DATASETS, "name": name} for name in inputs],
        "outputs": [{"namespace": DATASETS, "name": name} for name in outputs],
    }


def make_orders(http: httpx2.Client) -> None:
    """A table with some rows in it."""
    chance = random.Random(4)
    columns = [
        {"name": "number", "type": "TEXT", "unique": True, "nullable": False},
        {"name": "ordered_on", "type": "DATE"},
        {"name": "customer", "type": "TEXT"},
        {"name": "pieces", "type": "INTEGER"},
        {"name": "total", "type": "NUMERIC(12,2)"},
        {"name": "paid", "type": "BOOLEAN"},
        {"name": "note", "type": "TEXT"},
    ]
    people = ("Ann Archer", "Éva Novák", "Dora Dane", "Emil Ek", "Gus Gray", "Ida Irving")
    notes = (None, None, None, "gift", "call before delivery", "second try")
    rows = [
        {
            "number": f"A-{1000 + place}",
            "ordered_on": (date(2026, 9, 1) + timedelta(days=place // 3)).isoformat(),
            "customer": chance.choice(people),
            "pieces": chance.randint(1, 9),
            "total": f"{chance.randint(300, 90_000) / 100:.2f}",
            "paid": chance.random() < 0.8,
            "note": chance.choice(notes),
        }
        for place in range(240)
    ]
    described = {"name": "Orders", "columns": columns, "description": "What the shop sold"}
    http.post("/api/tables", json=described).raise_for_status()
    http.post("/api/tables/Orders/records", json=rows).raise_for_status()


def make_feed(http: httpx2.Client) -> None:
    """Two feeds, one of which has run a few times and failed once."""
    prices = {
        "name": "prices",
        "table": "Prices",
        "from": {"kind": "push"},
        "options": {"mode": "replace", "create_table": True},
        "expect": {"every": "P1D", "min_rows": 20, "max_rejected_share": 0.01},
    }
    http.post("/api/feeds", json=prices).raise_for_status()
    http.post("/api/feeds", json={**prices, "name": "stock counts", "table": "Stock"})
    for rows in (40, 44, 43, 48, 12, 51, 55, 54, 60):
        lines = "".join(f"P-{place},{place + rows}.50\n" for place in range(rows))
        answer = http.post(
            "/api/feeds/prices/runs", files={"file": ("p.csv", f"sku,price\n{lines}")}
        )
        finished(http, answer.json())


def take(app: App, stack: RunningStack, import_id: int, folder: Path) -> Iterator[Path]:
    """Each page, at a desk and the last ones in the dark and on a phone."""
    app.resize(*DESK)
    app.open("/app")
    app.wait_for("input[name=username]")
    yield picture(app, "sign-in")
    app.sign_in(stack)
    app.wait_for(".list")
    yield picture(app, "tables")
    app.open("/app/tables/Orders?sort=-total&f=paid%20eq%20false")
    app.wait_for(".pages")
    yield picture(app, "rows")
    app.resize(*WIDE)
    yield look_at_a_file(app, folder)
    app.resize(*TALL)
    app.open(f"/app/imports/{import_id}")
    app.wait_for(".profile")
    yield picture(app, "import")
    app.resize(*DESK)
    for path, name in (("/app/imports", "imports"), ("/app/feeds", "feeds")):
        app.open(path)
        app.wait_for(".list")
        yield picture(app, name)
    app.open("/app/feeds/prices")
    app.wait_for(".runs")
    yield picture(app, "feed")
    app.open(f"/app/lineage?table=mart.daily_sales&namespace={DATASETS}/dwh")
    app.wait_for("ul.plain")
    yield picture(app, "lineage")
    app.prefer("dark")
    app.resize(*PHONE)
    app.open(f"/app/imports/{import_id}")
    app.wait_for(".grid")
    yield picture(app, "phone")


def look_at_a_file(app: App, folder: Path) -> Path:
    """The preview of a file, with the options that read it."""
    file = folder / "customers.csv"
    file.write_text(MESSY, encoding="utf-8")
    app.open("/app/import")
    app.wait_for("input#file").send_keys(str(file))
    app.wait_for_preview()
    app.set_option("Dates", "%d.%m.%Y")
    app.set_option("Before decimals", ",")
    app.set_option("Between thousands", ".")
    for column, type_ in (("Born", "DATE"), ("Balance", "NUMERIC")):
        app.set_type(column, type_)
    app.browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    return picture(app, "preview")


def try_a_call(page: SwaggerUI, stack: RunningStack, import_id: int) -> Path:
    """A call at /docs that was made, with its samples and its answer."""
    page.browser.set_window_size(1280, 1500)
    page.open("/docs")
    page.authorize(**stack.admin)
    block = page.operation("imports_errors")
    page.fill(block, "id", str(import_id))
    page.execute(block)
    page.browser.execute_script(
        "document.activeElement.blur(); arguments[0].scrollIntoView()", block
    )
    file = FOLDER.parent / "swagger.png"
    page.browser.save_screenshot(str(file))
    return file


def picture(app: App, name: str) -> Path:
    """What the page shows now, as a file."""
    file = FOLDER / f"{name}.png"
    app.browser.save_screenshot(str(file))
    return file


if __name__ == "__main__":
    main()
