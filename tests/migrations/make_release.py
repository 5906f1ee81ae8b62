"""`python -m tests.migrations.make_release`: what `test_release` upgrades, made anew by this code.

To be run once, at a release, before anything else changes: it starts a stack of this checkout, has
it do a little of everything, and keeps its dump, storage, secrets and answers in `release`. Its
passwords open nothing else.
"""

import json
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.environment import ROOT
from deploy.local.postgresql import find_binaries
from tests.support.backup import dump
from tests.support.imports import errors, finished, submit
from tests.support.stack import running_stack

RELEASE = ROOT / "tests" / "migrations" / "release"
PASSWORD = "a long enough password"
COLUMNS = [
    {"name": "name", "type": "TEXT", "nullable": False, "searchable": True},
    {"name": "email", "type": "VARCHAR(80)", "unique": True},
    {"name": "born", "type": "DATE"},
    {"name": "balance", "type": "NUMERIC(12,2)", "default": "0.50"},
    {"name": "active", "type": "BOOLEAN", "default": True},
    {"name": "notes", "type": "JSON"},
    {"name": "seen", "type": "TIMESTAMP"},
]
SOURCE = {
    "name": "webshop",
    "kind": "postgresql",
    "host": "127.0.0.1",
    "port": 1,
    "database": "webshop",
    "user": "webreader",
    "password": "reader-password",
}


def main() -> None:
    """Write the folder anew."""
    RELEASE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        with running_stack(place / "state") as stack, stack.signed_in() as http:
            known = filled(http)
            (RELEASE / "known.json").write_text(json.dumps(known, ensure_ascii=False))
            dump(find_binaries(), stack.facts["owner_url"], RELEASE)
            for name in ("secrets.json", "admin.json"):
                shutil.copy(stack.state / name, RELEASE)
            with tarfile.open(RELEASE / "storage.tar.gz", "w:gz") as archive:
                archive.add(stack.state / "storage", "storage")


def filled(http: httpx2.Client) -> dict[str, Any]:
    """A little of everything; what is known of it."""

    def made(path: str, body: object, method: str = "POST") -> Any:
        return http.request(method, path, json=body).raise_for_status().json()

    user = {"username": "ann", "password": PASSWORD}
    made("/api/auth/users", {**user, "email": "ann@example.com", "role": "member"})
    scopes = ["tables:read", "records:read"]
    client = made("/api/auth/clients", {"name": "reader", "scopes": scopes})
    made("/api/tables", {"name": "People", "columns": COLUMNS})
    for who, level in ((client["id"], "viewer"), ("ann@example.com", "editor")):
        made(f"/api/tables/People/grants/{who}", {"level": level}, "PUT")
    imports = imported(http)
    record = made("/api/tables/People/records", {"name": "By hand", "email": "hand@example.com"})
    source = made("/api/sources", SOURCE)
    first = imports["first"]
    return {
        "client": client,
        "user": user,
        "imports": {
            name: {key: one[key] for key in ("id", "state", "rows", "links")}
            for name, one in imports.items()
        },
        "records": http.get("/api/tables/People/records?limit=1000&sort=id").json()["items"],
        "errors": errors(http, first),
        "rejects": http.get(first["links"]["rejects"]).text,
        "edges": http.get("/api/etl/nightly/tables").json(),
        "record": record,
        "table": http.get("/api/tables/People").json(),
        "source": source,
    }


def imported(http: httpx2.Client) -> dict[str, dict[str, Any]]:
    """Imports of several modes and ends, by what they are."""
    head = "name,email,born,balance,active,notes,seen\n"
    rows = "".join(
        f"Person {n} Zoë,p{n}@example.com,19{50 + n % 50}-02-{1 + n % 30:02},{n}.25,"
        f'{"true" if n % 2 else "false"},"{{""n"": {n}}}",2024-01-01T00:00:{n % 60:02}\n'
        for n in range(200)
    )
    changes = b"email,name,balance\np1@example.com,Renamed,99.00\nnew@example.com,New,1.00\n"
    orders = b"number,customer,total\n1,Ann,10.50\n2,Bob,7.00\n"
    wrong = b"name,email,born\nA,a@x,never\nB,b@x,never\n"
    asked: dict[str, tuple[str, bytes, dict[str, Any]]] = {
        "first": ("People", (head + rows).encode(), {"etl_name": "nightly"}),
        "upsert": ("People", changes, {"mode": "upsert", "key": "email"}),
        "made": ("orders", orders, {"create_table": "true"}),
        "dry": ("People", b"name,email\nDry,dry@x\n", {"dry_run": "true"}),
        "failed": ("People", wrong, {"max_errors": "1"}),
    }
    return {
        name: finished(http, submit(http, table, content, **options))
        for name, (table, content, options) in asked.items()
    }


if __name__ == "__main__":
    main()
