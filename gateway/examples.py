"""A body for every call that takes one, so that *Try it out* can send it as it stands.

A service's own example wins; these stand in where it has none.
"""

from collections.abc import Mapping
from typing import Any

EXAMPLES: Mapping[str, Any] = {
    "auth_otp_create": {"email": "ann@example.com"},
    "auth_otp_verify": {"challenge_id": "the challenge_id of the answer before", "code": "123456"},
    "auth_token": {
        "grant_type": "password",
        "username": "ann@example.com",
        "password": "correct horse battery",
    },
    "auth_revoke": {"refresh": "a refresh token"},
    "auth_me_update": {
        "password": "a new and longer password",
        "current_password": "correct horse battery",
    },
    "token_action": {"username": "ann@example.com", "password": "correct horse battery"},
    "token_refresh_action": {"refresh": "a refresh token"},
    "users_create": {"email": "ann@example.com", "username": "ann", "role": "member"},
    "users_update": {"role": "admin"},
    "api_keys_create": {
        "name": "nightly job",
        "scopes": ["tables:read", "imports:write"],
        "expires_at": "2027-06-30T00:00:00Z",
    },
    "clients_create": {
        "id": "nightly-loader",
        "name": "Loads the customers at night",
        "scopes": ["tables:read", "imports:write"],
    },
    "tables_create": {
        "name": "Customer",
        "description": "Who buys from us",
        "columns": [
            {"name": "name", "type": "TEXT", "nullable": False, "searchable": True},
            {"name": "email", "type": "VARCHAR(254)", "unique": True},
            {"name": "balance", "type": "NUMERIC(12,2)"},
            {"name": "created_at", "type": "DATE"},
        ],
    },
    "tables_change": {
        "add": [{"name": "city", "type": "TEXT"}],
        "alter": [{"name": "balance", "type": "NUMERIC(14,2)"}],
        "drop": ["created_at"],
    },
    "imports_create": {
        "upload": "0192f0a8-7d5b-7cc3-98c4-dc0c0c07398f",
        "table": "Customer",
        "mode": "append",
    },
    "feeds_update": {"paused": True},
    "feeds_reset": {"cursor": "2026-01-01"},
    "feeds_run": {"upload": "0192f0a8-7d5b-7cc3-98c4-dc0c0c07398f"},
    "imports_correct": {"rows": [{"line": 3, "values": {"born": "1990-02-28"}}]},
    "previews_create": {"upload": "0192f0a8-7d5b-7cc3-98c4-dc0c0c07398f", "rows": 20},
    "uploads_create": {"file": "the content of the file"},
    "uploads_append": "the next bytes of the file",
    "webhooks_create": {
        "url": "https://hooks.example.com/tabularium",
        "events": ["import.succeeded", "import.failed"],
    },
    "webhooks_update": {"enabled": False},
    "grants_put": {"level": "editor"},
    "create_table_action": {
        "table_name": "Customer",
        "fields": {"name": "TEXT", "email": "TEXT UNIQUE", "created_at": "DATE"},
    },
    "add_column_action": {
        "table_name": "Customer",
        "column_name": "city",
        "column_type": "VARCHAR(100)",
    },
    "delete_table_action": {"table_name": "Customer"},
    "delete_record_action": {"table_name": "Customer", "id": 1},
}
"""By operation id."""

RECORD = {"id": 1, "name": "Ann", "email": "ann@example.com", "created_at": "2026-01-31"}
ANSWERS: Mapping[str, Any] = {
    "records_list": {"items": [RECORD], "next": None, "total": None},
    "records_query": {"items": [RECORD], "next": None, "total": None},
    "records_get": RECORD,
    "records_create": RECORD,
    "records_change": RECORD,
    "records_replace": RECORD,
    "records_summary": {
        "items": [{"city": "Bern", "count": 2, "sum(total)": 31.5}],
        "next": None,
        "groups": 1,
    },
    "records_export": [RECORD],
    "get_records_action": {"items": [RECORD], "page": 1, "limit": 10, "total": 1},
    "insert_record_action": RECORD,
    "update_record_action": RECORD,
}
"""What calls answer whose schemas do not say it, by operation id."""
TEXTS: Mapping[str, str] = {
    "text/csv": "id,name,email,created_at\n1,Ann,ann@example.com,2026-01-31\n",
    "text/csv; charset=utf-8": "id,name,email,created_at\n1,Ann,ann@example.com,2026-01-31\n",
    "application/x-ndjson": '{"id":1,"name":"Ann","email":"ann@example.com"}\n',
    "text/event-stream": "event: progress\nid: 1\ndata: {}\n\n",
    "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "text/plain": "graph LR\n",
    "text/html": "<!doctype html><title>Tabularium</title>",
}
"""By media type."""


def with_example(operation_id: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request body, with an example where the service gives none."""
    example = EXAMPLES.get(operation_id)
    if example is None:
        return body
    content = {
        media_type: entry
        if "example" in entry or "examples" in entry
        else {**entry, "example": example}
        for media_type, entry in body.get("content", {}).items()
    }
    return {**body, "content": content}


PARAMETERS: Mapping[str, Any] = {
    "alias": "postgres://10.0.0.5:5432/shop",
    "delivery": 1,
    "id": 1,
    "name": "orders",
    "q": "customer",
    "run": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "table_name": "Customer",
    "token": "the token of a mail",
    "upload-offset": 0,
}
"""Of what a call cannot do without, by name, where the service has no example."""


CHOICES: Mapping[str, Mapping[str, Any]] = {"catalog_lineage_get": {"table": "data.Customer"}}
"""Of parameters one of which a call needs, by operation id."""


def with_parameter_example(operation_id: str, parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    """A parameter, with an example to be filled in where the call needs it."""
    chosen = CHOICES.get(operation_id, {})
    if parameter["name"] in chosen:
        return {**parameter, "example": chosen[parameter["name"]]}
    if not parameter.get("required") or "example" in parameter:
        return parameter
    schema = parameter.get("schema", {})
    given = [*schema.get("examples", ()), PARAMETERS.get(parameter["name"])]
    if schema.get("format") == "uuid":
        given = [PARAMETERS["run"]]
    return parameter if given[0] is None else {**parameter, "example": given[0]}
