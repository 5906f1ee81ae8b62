"""The messages that a service sends to webhooks, as `webhooks` of its OpenAPI document (3.1)."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

SIGNATURE_HEADERS = {
    "webhook-id": "The message's id, the same on every try: skip what was taken before.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "`v1,` and the signature in Base64; two of them while a secret rotates.",
}
"""Of Standard Webhooks."""


def document_messages(app: FastAPI, messages: Mapping[str, type[BaseModel]]) -> None:
    """Describe a message's body, by the name of its event, in the app's document."""
    plain = app.openapi

    def with_messages() -> dict[str, Any]:
        document = plain()
        _, schemas = models_json_schema(
            [(model, "serialization") for model in dict.fromkeys(messages.values())],
            ref_template="#/components/schemas/{model}",
        )
        known = document.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in schemas["$defs"].items():
            known.setdefault(name, schema)
        document["webhooks"] = {
            event: {"post": _operation(event, model)} for event, model in messages.items()
        }
        return document

    app.openapi = with_messages  # type: ignore[method-assign]


def _operation(event: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "operationId": f"{event.replace('.', '_')}_message",
        "summary": f"A message of the type {event}",
        "description": "Signed by Standard Webhooks and sent until it is taken: any answer of the"
        " 200s takes it, 410 disables the webhook, any other is tried again.",
        "tags": ["webhooks"],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": description,
            }
            for name, description in SIGNATURE_HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"2XX": {"description": "It was taken."}},
    }
