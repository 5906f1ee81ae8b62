"""What is said of feeds that are late, failing or well again: once, to those who may see them."""

import jsonschema_rs

from tests.ingest.driving import Ingest
from tests.ingest.feeds.driving import call, looked, made, pushed
from tests.ingest.webhooks.driving import registered
from tests.ingest.webhooks.receiving import Receiver
from tests.support.issuer import person
from tests.support.profile import only_in_full

ROWS = b"name,age\nann,7\n"
FEED_EVENTS = ("feed.late", "feed.failing", "feed.recovered")
TOLD = "SELECT told = $1 FROM ingest.feeds"


async def past_its_time(ingest: Ingest) -> None:
    await ingest.owner.execute(
        "UPDATE ingest.feeds SET active_since = now() - interval '2 hours',"
        " last_success_at = last_success_at - interval '2 hours'"
    )


@only_in_full
async def test_late_is_said_once_and_once_when_it_is_well_again(
    ingest: Ingest, receiver: Receiver
) -> None:
    webhook = await registered(ingest, receiver.url, *FEED_EVENTS)
    document = (await ingest.http.get("/internal/openapi.json")).json()
    await made(ingest, expect={"every": "PT1H"})
    await past_its_time(ingest)
    async with ingest.working(), ingest.working(), ingest.working():
        (received,) = await receiver.wait_for(1)
        late = await looked(ingest)
        await pushed(ingest, ROWS)
        _, recovered = await receiver.wait_for(2)
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
        await past_its_time(ingest)
        await ingest.until(TOLD, "late")
        await receiver.wait_for(3)
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
    message = received.verified(webhook["secret"])
    assert (message["type"], message["data"]) == ("feed.late", late)
    shown = document["webhooks"]["feed.late"]["post"]["requestBody"]["content"]
    schema = {**shown["application/json"]["schema"], "components": document["components"]}
    jsonschema_rs.validate(schema, message)
    assert recovered.verified(webhook["secret"])["type"] == "feed.recovered"
    subjects = [str(mail["Subject"]) for mail in ingest.mailbox.received]
    assert subjects == ["Feed 1 is late", "Feed 1 is well again", "Feed 1 is late"]
    for kind in ("plain", "html"):
        body = ingest.mailbox.received[0].get_body((kind,))
        assert body is not None
        assert "is expected to succeed every hour." in body.get_content()
        assert f"{ingest.settings.public_url}/app/feeds/people" in body.get_content()


@only_in_full
async def test_a_feed_that_fails_is_said_to_fail_once(ingest: Ingest, receiver: Receiver) -> None:
    webhook = await registered(ingest, receiver.url, *FEED_EVENTS)
    await made(ingest, expect={"min_rows": 1})
    async with ingest.working():
        for _ in range(2):
            failed = await pushed(ingest, b"name,age\n")
            assert failed["state"] == "failed"
        await ingest.until(TOLD, "failing")
        await pushed(ingest, ROWS)
        await ingest.until(TOLD, "ok")
        messages = [one.verified(webhook["secret"]) for one in await receiver.wait_for(2)]
    assert [message["type"] for message in messages] == ["feed.failing", "feed.recovered"]
    assert ingest.mailbox.received == []


async def test_a_webhook_is_narrowed_to_a_feed_and_its_imports(
    ingest: Ingest, receiver: Receiver
) -> None:
    await made(ingest)
    one = await registered(ingest, receiver.url, "import.succeeded", feed="people")
    assert one["feed"] == "people"
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        run = await pushed(ingest, ROWS)
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
        (received,) = await receiver.wait_for(1)
    assert received.verified(one["secret"])["data"]["id"] == run["id"]
    refused = await call(
        ingest,
        "POST",
        "/api/webhooks",
        {"url": receiver.url, "events": ["feed.late"], "feed": "nobody's"},
    )
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["field"], error["code"]) == ("feed", "no_such_feed")


@only_in_full
async def test_a_feed_that_rested_is_not_said_to_be_well_again(
    ingest: Ingest, receiver: Receiver
) -> None:
    await registered(ingest, receiver.url, *FEED_EVENTS)
    await made(ingest, expect={"every": "PT1H"})
    async with ingest.working():
        await pushed(ingest, ROWS)
        await past_its_time(ingest)
        await ingest.until(TOLD, "late")
    for paused in (True, False):
        await call(ingest, "PATCH", "/api/feeds/people", {"paused": paused})
    assert (await looked(ingest))["health"] == "ok"
    async with ingest.working():
        await past_its_time(ingest)
        await ingest.until(TOLD, "late")
        await receiver.wait_for(2)
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
    types = await ingest.owner.fetch("SELECT type FROM ingest.webhook_deliveries ORDER BY id")
    assert [row["type"] for row in types] == ["feed.late", "feed.late"]


async def test_others_hear_nothing_of_a_feed(ingest: Ingest, receiver: Receiver) -> None:
    bob = person("bob@example.com")
    await registered(ingest, receiver.url, *FEED_EVENTS, caller=bob)
    await made(ingest, expect={"every": "PT1H"})
    await past_its_time(ingest)
    async with ingest.working():
        await ingest.until(TOLD, "late")
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox WHERE kind = 'event'")
    assert await ingest.owner.fetchval("SELECT count(*) FROM ingest.webhook_deliveries") == 0


async def test_a_paused_feed_is_not_late(ingest: Ingest) -> None:
    await made(ingest, expect={"every": "PT1H"})
    await past_its_time(ingest)
    await call(ingest, "PATCH", "/api/feeds/people", {"paused": True})
    await made(ingest, "other", expect={"every": "PT1H"})
    await ingest.owner.execute(
        "UPDATE ingest.feeds SET active_since = now() - interval '2 hours' WHERE name = 'other'"
    )
    async with ingest.working():
        await ingest.until("SELECT told = 'late' FROM ingest.feeds WHERE name = 'other'")
    assert (
        await ingest.owner.fetchval("SELECT told FROM ingest.feeds WHERE name = 'people'") == "ok"
    )
