"""What webhooks are sent, to whom, how often, and what holds up whom."""

import base64
import json

import jsonschema_rs
import pytest

from services.ingest.rotate import Rotated, rotate
from services.ingest.webhooks.domain import RETRIES_S, Attempt, next_wait_s
from shared.contracts.auth import Role, Scope
from shared.security.sealing import Keyring
from shared.store.engine import database_engine
from tests.ingest.connections.driving import KEY
from tests.ingest.driving import ANN, Ingest
from tests.ingest.webhooks.driving import call, deliveries, registered
from tests.ingest.webhooks.receiving import Receiver, running_receiver
from tests.support.issuer import Issuer, machine, person
from tests.support.profile import only_in_full

BOB = person("bob@example.com")
ADMIN = person("admin@example.com", role=Role.ADMIN)
ROWS = b"name,age\nAnn,1\nBob,old\n"


async def settled(ingest: Ingest) -> None:
    """Nothing is to be published or sent at this moment."""
    await ingest.until("SELECT count(*) = 0 FROM ingest.outbox WHERE kind = 'event'")
    await ingest.until(
        "SELECT count(*) = 0 FROM ingest.webhook_deliveries"
        " WHERE state = 'pending' AND (retries = 0 OR next_at <= now())"
    )


def test_ten_attempts_are_made_within_five_days() -> None:
    failure = Attempt(500, "the receiver answered 500")
    waits = [next_wait_s(retries, failure) for retries in range(len(RETRIES_S) + 1)]
    assert waits[-1] is None
    for planned_s, wait_s in zip(RETRIES_S, waits, strict=False):
        assert wait_s is not None
        assert planned_s <= wait_s <= planned_s * 1.1
    assert sum(RETRIES_S) * 1.1 < 5 * 86_400
    slowly = Attempt(429, "the receiver answered 429", retry_after_s=10**9)
    assert next_wait_s(0, slowly) == RETRIES_S[-1]


async def test_a_receiver_is_told_what_the_api_shows(ingest: Ingest, receiver: Receiver) -> None:
    webhook = await registered(ingest, receiver.url)
    document = (await ingest.http.get("/internal/openapi.json")).json()
    async with ingest.working():
        done = await ingest.finished(await ingest.submit(ROWS))
        (received,) = await receiver.wait_for(1)
        await settled(ingest)
    message = received.verified(webhook["secret"])
    assert message["type"] == "import.succeeded"
    assert message["data"] == await ingest.look(done)
    assert received.headers["Content-Type"] == "application/json"
    assert received.id.startswith("msg_")
    assert "." not in received.id
    shown = document["webhooks"]["import.succeeded"]["post"]["requestBody"]["content"]
    schema = {**shown["application/json"]["schema"], "components": document["components"]}
    jsonschema_rs.validate(schema, message)
    assert not jsonschema_rs.is_valid(schema, {**message, "data": {"id": 1}})
    (delivery,) = await deliveries(ingest, webhook)
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == (
        "succeeded", 1, 204,
    )  # fmt: skip
    assert delivery["message_id"] == received.id
    assert delivery["next_at"] is None


async def test_each_ending_is_an_event_of_its_own(ingest: Ingest, receiver: Receiver) -> None:
    await registered(ingest, receiver.url, "import.succeeded", "import.failed", "import.cancelled")
    cancelled = await ingest.submit(ROWS)
    answer = await ingest.post(f"/api/imports/{cancelled['id']}/cancel")
    assert answer.status_code == 202
    async with ingest.working():
        failed = await ingest.finished(await ingest.submit(ROWS, on_error="abort"))
        again = await ingest.post(f"/api/imports/{failed['id']}/retry")
        assert again.status_code == 202
        await ingest.finished(again.json())
        await receiver.wait_for(3)
        await settled(ingest)
    messages = [json.loads(received.body) for received in receiver.received]
    assert sorted((each["type"], each["data"]["state"]) for each in messages) == [
        ("import.cancelled", "cancelled"),
        ("import.failed", "failed"),
        ("import.failed", "failed"),
    ]
    assert len({received.id for received in receiver.received}) == 3


async def test_an_import_that_is_undone_is_an_event(ingest: Ingest, receiver: Receiver) -> None:
    await registered(ingest, receiver.url, "import.undone")
    async with ingest.working():
        first = await ingest.finished(await ingest.submit(b"name\nAnn\n"))
        undo = await ingest.post(f"/api/imports/{first['id']}/undo")
        assert undo.status_code == 202
        await receiver.wait_for(1)
        await settled(ingest)
    (received,) = receiver.received
    message = json.loads(received.body)
    assert (message["type"], message["data"]["id"]) == ("import.undone", first["id"])
    assert message["data"]["undone"]["import"] == undo.json()["id"]


async def test_without_subscribers_nothing_is_written(ingest: Ingest, receiver: Receiver) -> None:
    await registered(ingest, receiver.url, "import.failed")
    stopped = await registered(ingest, receiver.url, "import.succeeded")
    answer = await call(ingest, "PATCH", f"/api/webhooks/{stopped['id']}", {"enabled": False})
    assert answer.json()["disabled"]["reason"] == "by_hand"
    async with ingest.working():
        await ingest.finished(await ingest.submit(b"name\nAnn\n"))
        await settled(ingest)
    assert receiver.received == []
    assert await ingest.owner.fetchval("SELECT count(*) FROM ingest.webhook_deliveries") == 0


async def test_only_what_its_owner_may_see_is_sent(ingest: Ingest, receiver: Receiver) -> None:
    """A submitter's, an admin's and the table's owner's webhook; not another person's."""
    own = await registered(ingest, receiver.url, caller=ANN)
    admins = await registered(ingest, receiver.url, caller=ADMIN)
    others = await registered(ingest, receiver.url, caller=BOB)
    reads = machine("reads", Scope.IMPORTS_WRITE)
    owners = await registered(ingest, receiver.url, caller=reads)
    ingest.peers.owners["people"] = reads.sub
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        await receiver.wait_for(3)
        await settled(ingest)
    assert len(receiver.received) == 3
    assert len({received.id for received in receiver.received}) == 1
    for webhook, caller in ((own, ANN), (admins, ADMIN), (owners, reads)):
        assert len(await deliveries(ingest, webhook, caller=caller)) == 1
    assert await deliveries(ingest, others, caller=BOB) == []


async def test_a_webhook_of_one_table_hears_of_that_alone(
    ingest: Ingest, receiver: Receiver
) -> None:
    ingest.peers.owners["people"] = ANN.sub
    ingest.peers.owners["others"] = ANN.sub
    await ingest.peers.make_table("others", {"name": "text"})
    await registered(ingest, receiver.url, table="others")
    async with ingest.working():
        await ingest.finished(await ingest.submit(b"name\nAnn\n"))
        await ingest.finished(await ingest.submit(b"name\nAnn\n", table="others"))
        (received,) = await receiver.wait_for(1)
        await settled(ingest)
    assert json.loads(received.body)["data"]["table"] == "others"
    assert len(receiver.received) == 1


async def test_an_owner_without_rights_hears_nothing_more(
    ingest: Ingest, issuer: Issuer, receiver: Receiver
) -> None:
    clerk = person("clerk@example.com")
    webhook = await registered(ingest, receiver.url, caller=clerk)
    issuer.callers.pop((clerk.sub, None))
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        await settled(ingest)
        mail = await ingest.mailbox.wait_for_one_to("clerk@example.com")
    assert receiver.received == []
    seen = await ingest.get(f"/api/webhooks/{webhook['id']}", caller=ADMIN)
    assert seen.json()["disabled"]["reason"] == "owner"
    assert mail["Subject"] == f"Webhook {webhook['id']} is disabled"
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        assert f"tabularium webhook change {webhook['id']} --enable" in body.get_content()


@only_in_full
async def test_a_refused_message_is_tried_again_by_the_schedule(
    ingest: Ingest, receiver: Receiver
) -> None:
    receiver.answer = 500
    webhook = await registered(ingest, receiver.url)
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        for attempt, wait_s in enumerate(RETRIES_S[:2], start=1):
            planned = await ingest.until(
                "SELECT extract(epoch FROM next_at - last_attempt_at)::float8"
                " FROM ingest.webhook_deliveries WHERE retries = $1",
                attempt,
            )
            assert wait_s <= planned <= wait_s * 1.1
            await ingest.owner.execute("UPDATE ingest.webhook_deliveries SET next_at = now()")
        await ingest.until("SELECT retries = 3 FROM ingest.webhook_deliveries")
        await ingest.owner.execute(
            "UPDATE ingest.webhook_deliveries SET next_at = now(), retries = $1", len(RETRIES_S)
        )
        await ingest.until("SELECT state = 'failed' FROM ingest.webhook_deliveries")
        (delivery,) = await deliveries(ingest, webhook)
        assert (delivery["attempts"], delivery["last_status"]) == (4, 500)
        assert delivery["last_error"] == "the receiver answered 500 Internal Server Error"
        assert len({received.id for received in receiver.received}) == 1
        look = (await ingest.get(f"/api/webhooks/{webhook['id']}")).json()
        assert look["failing_since"] is not None
        assert look["disabled"] is None
        # By hand it goes on, with the same id, and a success ends the failing.
        receiver.answer = 200
        path = f"/api/webhooks/{webhook['id']}/deliveries/{delivery['id']}/redeliver"
        again = await ingest.post(path)
        assert (again.status_code, again.json()["state"]) == (202, "pending")
        await ingest.until("SELECT state = 'succeeded' FROM ingest.webhook_deliveries")
        await ingest.until("SELECT failing_since IS NULL FROM ingest.webhooks")
    assert len(receiver.received) == 5
    for received in receiver.received:
        received.verified(webhook["secret"])


@only_in_full
async def test_retry_after_is_waited_for(ingest: Ingest, receiver: Receiver) -> None:
    receiver.answer, receiver.headers = 429, {"Retry-After": "120"}
    await registered(ingest, receiver.url)
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        planned = await ingest.until(
            "SELECT extract(epoch FROM next_at - last_attempt_at)::float8"
            " FROM ingest.webhook_deliveries WHERE retries = 1"
        )
    assert planned == pytest.approx(120)


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_redirects_are_not_followed(ingest: Ingest, receiver: Receiver, status: int) -> None:
    async with running_receiver() as other:
        receiver.answer, receiver.headers = status, {"Location": other.url}
        webhook = await registered(ingest, receiver.url)
        async with ingest.working():
            await ingest.finished(await ingest.submit(ROWS))
            await ingest.until("SELECT retries = 1 FROM ingest.webhook_deliveries")
        (delivery,) = await deliveries(ingest, webhook)
        assert "redirects are not followed" in delivery["last_error"]
        assert other.received == []


@only_in_full
async def test_a_receiver_that_is_gone_is_left_alone(ingest: Ingest, receiver: Receiver) -> None:
    receiver.answer = 410
    webhook = await registered(ingest, receiver.url)
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        mail = await ingest.mailbox.wait_for_one_to("ann@example.com")
        await ingest.finished(await ingest.submit(b"name\nBob\n"))
        await settled(ingest)
        assert len(receiver.received) == 1
        body = mail.get_body(("plain",))
        assert body is not None
        assert "gone (410)" in body.get_content().replace("\n", " ")
        look = (await ingest.get(f"/api/webhooks/{webhook['id']}")).json()
        assert look["disabled"]["reason"] == "gone"
        refused = await ingest.post(f"/api/webhooks/{webhook['id']}/test")
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
        receiver.answer = 204
        path = f"/api/webhooks/{webhook['id']}"
        enabled = await call(ingest, "PATCH", path, {"enabled": True})
        assert (enabled.json()["disabled"], enabled.json()["failing_since"]) == (None, None)
        await ingest.finished(await ingest.submit(b"name\nCat\n"))
        await receiver.wait_for(2)


@only_in_full
async def test_five_days_of_failure_disable_it_and_mail_its_owner(
    ingest: Ingest, receiver: Receiver
) -> None:
    receiver.answer = 503
    webhook = await registered(ingest, receiver.url)
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        await ingest.until("SELECT failing_since IS NOT NULL FROM ingest.webhooks")
        await ingest.owner.execute(
            "UPDATE ingest.webhooks SET failing_since = now() - interval '121 hours'"
        )
        await ingest.owner.execute("UPDATE ingest.webhook_deliveries SET next_at = now()")
        mail = await ingest.mailbox.wait_for_one_to("ann@example.com")
        look = (await ingest.get(f"/api/webhooks/{webhook['id']}")).json()
        (delivery,) = await deliveries(ingest, webhook)
    assert look["disabled"]["reason"] == "failing"
    assert (delivery["state"], delivery["attempts"]) == ("failed", 2)
    assert "five days" in str(mail.get_body(("html",)))
    assert len(ingest.mailbox.received) == 1


@only_in_full
async def test_a_slow_receiver_holds_up_nobody_else(ingest: Ingest, receiver: Receiver) -> None:
    """Neither other receivers, nor mails, nor edges."""
    receiver.held.clear()
    async with running_receiver() as prompt:
        await registered(ingest, receiver.url)
        await registered(ingest, prompt.url)
        async with ingest.working():
            for age in range(6):
                rows = b"name,age\nAnn,%d\n" % age
                await ingest.finished(await ingest.submit(rows, email="ann@example.com"))
            await prompt.wait_for(6)
            await ingest.mailbox.wait_for(6)
            await ingest.peers.wait_for_edges(6)
            # It is called no more than a few times at once.
            assert len(receiver.received) == 4
            receiver.held.set()
            await receiver.wait_for(6)
            await settled(ingest)
    assert len({received.id for received in receiver.received}) == 6


@only_in_full
async def test_two_workers_send_once(ingest: Ingest, receiver: Receiver) -> None:
    await registered(ingest, receiver.url)
    async with ingest.working(), ingest.working():
        for age in range(8):
            await ingest.finished(await ingest.submit(b"name,age\nAnn,%d\n" % age))
        await receiver.wait_for(8)
        await settled(ingest)
    assert len({received.id for received in receiver.received}) == len(receiver.received) == 8


async def test_while_a_secret_rotates_both_sign(ingest: Ingest, receiver: Receiver) -> None:
    webhook = await registered(ingest, receiver.url)
    path = f"/api/webhooks/{webhook['id']}"
    rotated = (await ingest.post(f"{path}/rotate")).json()
    assert rotated["secret"] != webhook["secret"]
    assert rotated["both_secrets_until"] is not None
    async with ingest.working():
        assert (await ingest.post(f"{path}/test")).status_code == 202
        (first,) = await receiver.wait_for(1)
        await settled(ingest)
        assert first.verified(webhook["secret"]) == first.verified(rotated["secret"])
        assert first.verified(webhook["secret"])["type"] == "webhook.test"
        await ingest.owner.execute("UPDATE ingest.webhooks SET previous_until = now()")
        assert (await ingest.post(f"{path}/test")).status_code == 202
        (_, second) = await receiver.wait_for(2)
    second.verified(rotated["secret"])
    with pytest.raises(Exception, match="No matching signature"):
        second.verified(webhook["secret"])


async def test_secrets_are_sealed_shown_once_and_moved_to_a_new_key(
    ingest: Ingest, receiver: Receiver
) -> None:
    webhook = await registered(ingest, receiver.url)
    rotated = (await ingest.post(f"/api/webhooks/{webhook['id']}/rotate")).json()
    for path in ("/api/webhooks", f"/api/webhooks/{webhook['id']}"):
        text = (await ingest.get(path)).text
        assert webhook["secret"] not in text
        assert rotated["secret"] not in text
    dump = await ingest.owner.fetchval("SELECT to_jsonb(w)::text FROM ingest.webhooks w")
    assert "whsec_" not in dump
    assert "whsec_" not in str(await ingest.owner.fetch("SELECT * FROM audit.events"))
    other = base64.urlsafe_b64encode(b"n" * 32).decode()
    keyring = Keyring(f"{other},{KEY}", setting="SOURCE_KEYS")
    url = ingest.database.url("ingest")
    async with database_engine(url, application_name="test") as engine:
        assert await rotate(engine, keyring) == Rotated(moved=2, total=2)
        assert await rotate(engine, keyring) == Rotated(moved=0, total=2)
    row = await ingest.owner.fetchrow("SELECT secret, previous_secret FROM ingest.webhooks")
    assert row is not None
    name = f"ingest.webhooks:{webhook['id']}"
    opened = [Keyring(other, setting="X").open(each, row=name) for each in row]
    assert opened == [rotated["secret"], webhook["secret"]]


async def test_the_guard_is_asked_when_a_message_is_sent(
    ingest: Ingest, receiver: Receiver
) -> None:
    """What was allowed at registration may be forbidden by the time it is called."""
    webhook = await registered(ingest, receiver.url)
    async with ingest.working(source_allowed_networks="public"):
        await ingest.finished(await ingest.submit(ROWS))
        await ingest.until("SELECT retries = 1 FROM ingest.webhook_deliveries")
    (delivery,) = await deliveries(ingest, webhook)
    assert "may not connect to 127.0.0.1" in delivery["last_error"]
    assert receiver.received == []
