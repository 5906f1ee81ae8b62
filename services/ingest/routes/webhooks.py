"""Webhooks: registered, changed, tried, and what was sent to them."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `webhook_id`

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.ingest.dependencies import Importer, Process
from services.ingest.routes.schemas import Limit
from services.ingest.routes.schemas_of_webhooks import (
    DeliveryAnswer,
    WebhookAnswer,
    WebhookChange,
    WebhookCreated,
    WebhookToCreate,
    webhook_answer,
    webhook_created,
)
from shared.contracts.base import LARGEST_BIGINT, Id, Page
from shared.http.idempotency import answers_secret
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"], route_class=JsonRoute)

WebhookId = Annotated[Id, Path(alias="id")]
DeliveryId = Annotated[Id, Path(alias="delivery")]


@router.get("", summary="List webhooks")
async def webhooks_list(
    request: Request,
    process: Process,
    caller: Importer,
    after: Annotated[int, Query(ge=0, le=LARGEST_BIGINT, description="Ids above this one.")] = 0,
    limit: Limit = 25,
) -> Page[WebhookAnswer]:
    """Your webhooks (an admin's: everyone's); without secrets."""
    webhooks = await process.webhooks.page(caller, after=after, limit=limit)
    return page(request, webhooks, webhook_answer, by="after")


@router.post("", summary="Register a webhook", status_code=201)
@answers_secret
async def webhooks_create(
    process: Process, caller: Importer, webhook: WebhookToCreate, response: Response
) -> WebhookCreated:
    """Have events sent to a URL; the secret that signs them is in this answer and nowhere else.

    Messages follow Standard Webhooks; their bodies are under `webhooks` in this document. Only
    what you may see at that moment is sent.
    """
    made, secret = await process.webhooks.add(caller, webhook.subscription())
    response.headers["Location"] = f"/api/webhooks/{made.id}"
    return webhook_created(made, secret)


@router.get("/{id:int}", summary="Look at a webhook")
async def webhooks_read(process: Process, caller: Importer, webhook_id: WebhookId) -> WebhookAnswer:
    """What it is called for, and whether it works."""
    return webhook_answer(await process.webhooks.look(caller, webhook_id))


@router.patch("/{id:int}", summary="Change a webhook")
async def webhooks_update(
    process: Process, caller: Importer, webhook_id: WebhookId, change: WebhookChange
) -> WebhookAnswer:
    """Change the fields that are sent; `enabled` stops it, or starts it again."""
    changed = await process.webhooks.change(
        caller, webhook_id, change.changes(), enabled=change.enabled
    )
    return webhook_answer(changed)


@router.delete("/{id:int}", summary="Remove a webhook", status_code=204)
async def webhooks_delete(process: Process, caller: Importer, webhook_id: WebhookId) -> None:
    """Remove it, with all that was still to be sent."""
    await process.webhooks.remove(caller, webhook_id)


@router.post("/{id:int}/test", summary="Try a webhook", status_code=202)
async def webhooks_test(
    process: Process, caller: Importer, webhook_id: WebhookId
) -> DeliveryAnswer:
    """Send a message of the type `webhook.test`; its delivery shows what came of it."""
    return DeliveryAnswer.of(await process.webhooks.test(caller, webhook_id))


@router.post("/{id:int}/rotate", summary="Change a webhook's secret")
@answers_secret
async def webhooks_rotate(
    process: Process, caller: Importer, webhook_id: WebhookId
) -> WebhookCreated:
    """A new secret, in this answer and nowhere else; both sign for 24 hours."""
    webhook, secret = await process.webhooks.rotate(caller, webhook_id)
    return webhook_created(webhook, secret)


@router.get("/{id:int}/deliveries", summary="List a webhook's deliveries")
async def webhooks_deliveries(
    request: Request,
    process: Process,
    caller: Importer,
    webhook_id: WebhookId,
    before: Annotated[Id | None, Query(description="Ids below this one.")] = None,
    limit: Limit = 25,
) -> Page[DeliveryAnswer]:
    """What was and is sent to it, newest first, with the last answer to each message."""
    deliveries = await process.webhooks.deliveries(caller, webhook_id, before=before, limit=limit)
    return page(request, deliveries, DeliveryAnswer.of, by="before")


@router.post(
    "/{id:int}/deliveries/{delivery:int}/redeliver", summary="Send a message again", status_code=202
)
async def webhooks_redeliver(
    process: Process, caller: Importer, webhook_id: WebhookId, delivery_id: DeliveryId
) -> DeliveryAnswer:
    """Send it again now, with the same `webhook-id`, and with all retries before it."""
    return DeliveryAnswer.of(await process.webhooks.redeliver(caller, webhook_id, delivery_id))
