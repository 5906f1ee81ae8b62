"""The walk through the API that newman takes: each step is an operation of the document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FILE = "customers.csv"
"""Beside the collection, in docs/, which is the working directory of who runs it."""
MOST_LOOKS = 120
LOOK_AGAIN_MS = 250


@dataclass(frozen=True)
class Step:
    """One call, what it must answer, and what later steps need of the answer."""

    name: str
    method: str
    path: str
    """As the contract writes it; what stands in braces is a variable of the collection."""
    status: int
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, str] | None = None
    """Fields of an upload of FILE."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Variable to the JavaScript that finds it in the answer, which is called `told`."""
    expect: Mapping[str, str] = field(default_factory=dict)
    """What must be true of the answer: in words, and in JavaScript."""
    until: str | None = None
    """JavaScript; until it is true the step is taken again, because something runs meanwhile."""
    before: str | None = None
    signed_in: bool = True


PAIR = {"access": "told.access", "refresh": "told.refresh"}
FIELDS = {"name": "TEXT", "email": "TEXT UNIQUE", "created_at": "DATE"}
TABLE = "/api/tables/{table}"
IMPORT = "/api/imports/{import}"

WALK = (
    Step(
        "Sign in",
        "POST",
        "/api/token",
        200,
        body={"username": "{{username}}", "password": "{{password}}"},
        keep=PAIR,
        before="pm.collectionVariables.set('table', 'Walk' + Date.now());",
        signed_in=False,
    ),
    Step(
        "Get a fresh pair of tokens",
        "POST",
        "/api/token/refresh",
        200,
        body={"refresh": "{{refresh}}"},
        keep=PAIR,
        signed_in=False,
    ),
    Step(
        "Who am I",
        "GET",
        "/api/auth/me",
        200,
        expect={"it is me": "told.username === pm.variables.get('username')"},
    ),
    Step(
        "Create a table",
        "POST",
        "/api/create-table",
        201,
        body={"table_name": "{{table}}", "fields": FIELDS},
        expect={"it has its columns": "told.columns.length === 3"},
    ),
    Step(
        "Add a column",
        "POST",
        "/api/add-column",
        200,
        body={"table_name": "{{table}}", "column_name": "city", "column_type": "VARCHAR(40)"},
    ),
    Step("List the tables", "GET", "/api/tables", 200),
    Step(
        "Show the table",
        "GET",
        TABLE,
        200,
        expect={"the new column is there": "told.columns.some(c => c.name === 'city')"},
    ),
    Step("Its JSON Schema", "GET", f"{TABLE}/schema", 200),
    Step(
        "Insert a record",
        "POST",
        "/api/insert-record",
        201,
        body={"table_name": "{{table}}", "data": {"name": "Cyd", "email": "cyd@example.com"}},
        keep={"record": "told.id"},
    ),
    Step(
        "Change the record",
        "PUT",
        "/api/update-record",
        200,
        body={"table_name": "{{table}}", "id": "{{record}}", "data": {"city": "Bern"}},
        expect={"it changed": "told.city === 'Bern' && told.name === 'Cyd'"},
    ),
    Step(
        "Insert several records",
        "POST",
        f"{TABLE}/records",
        201,
        body=[{"name": "Dan", "email": "dan@example.com"}, {"name": "Fay"}],
        expect={"both are in": "told.inserted === 2"},
    ),
    Step(
        "Read the record",
        "GET",
        f"{TABLE}/records/{{record}}",
        200,
        expect={"it has an ETag": "pm.response.headers.has('ETag')"},
    ),
    Step("Patch the record", "PATCH", f"{TABLE}/records/{{record}}", 200, body={"city": "Basel"}),
    Step(
        "Import a file",
        "POST",
        "/api/imports",
        202,
        form={"table": "{{table}}", "etl_name": "postman {{table}}"},
        keep={"import": "told.id"},
    ),
    Step(
        "Wait for the import",
        "GET",
        IMPORT,
        200,
        until="!['queued', 'running'].includes(told.state)",
        expect={
            "it succeeded": "told.state === 'succeeded'",
            "one row was refused": "told.rows.loaded === 2 && told.rows.rejected === 1",
        },
    ),
    Step(
        "Which row was refused, and why",
        "GET",
        f"{IMPORT}/errors",
        200,
        expect={
            "line, column and code": "told.items.length === 1 && told.items[0].line === 4"
            " && told.items[0].column === 'created_at' && told.items[0].code === 'out_of_range'",
        },
    ),
    Step("The refused rows as CSV", "GET", f"{IMPORT}/rejects", 200),
    Step("List imports", "GET", "/api/imports", 200, query={"table": "{{table}}"}),
    Step(
        "Query with a filter",
        "GET",
        f"{TABLE}/records",
        200,
        query={"name__in": "Ann,Bob,Cyd", "sort": "-name", "count": "exact"},
        expect={"three, sorted": "told.items.map(r => r.name).join() === 'Cyd,Bob,Ann'"},
    ),
    Step(
        "Page through records, as of old",
        "GET",
        "/api/get-records",
        200,
        query={"table_name": "{{table}}", "page": "1", "limit": "2", "order_by": "name"},
        expect={"the total is exact": "told.total === 5 && told.items.length === 2"},
    ),
    Step("Export", "GET", f"{TABLE}/export", 200, query={"format": "csv"}),
    Step(
        "Which tables the ETL feeds",
        "GET",
        "/api/etl/{etl}/tables",
        200,
        until="pm.response.code !== 404",
        expect={"ours": "told.tables[0].name === pm.collectionVariables.get('table')"},
        before="pm.collectionVariables.set('etl', 'postman ' + pm.variables.get('table'));",
    ),
    Step("The graph", "GET", "/api/catalog/graph", 200, query={"etl": "{{etl}}"}),
    Step(
        "Delete the record",
        "DELETE",
        "/api/delete-record",
        204,
        body={"table_name": "{{table}}", "id": "{{record}}"},
    ),
    Step("Drop the table", "DELETE", "/api/delete-table", 204, body={"table_name": "{{table}}"}),
    Step(
        "A table that is gone is 404, and says so",
        "GET",
        TABLE,
        404,
        expect={"a problem document": "told.status === 404 && told.code.length > 0"},
    ),
    Step(
        "Sign out",
        "POST",
        "/api/auth/revoke",
        204,
        body={"refresh": "{{refresh}}"},
        signed_in=False,
    ),
)
