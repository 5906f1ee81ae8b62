"""Every POST of every service takes an `Idempotency-Key`, or is known not to."""

import httpx2

from tests.support.stack import RunningStack

WITHOUT = {
    "/api/auth/otp": "no caller yet; each mail has a code of its own",
    "/api/auth/otp/verify": "no caller yet, and it answers tokens",
    "/api/auth/token": "no caller yet, and it answers tokens",
    "/api/token": "no caller yet, and it answers tokens",
    "/api/token/refresh": "no caller yet, and it answers tokens",
    "/api/tables/{table}/query": "it changes nothing",
    "/api/uploads": "a multipart body differs each time, and tus has offsets of its own",
    "/api/previews": "it changes nothing but what is kept for a day",
    "/api/v1/lineage": "events are idempotent by their run, type and time",
    "/api/v1/lineage/batch": "events are idempotent by their run, type and time",
    "/api/mail/stop": "its signed link is its proof; repeating it is harmless",
    "/api/auth/revoke": "its refresh token is its proof; repeating it is harmless",
}


def test_every_post_takes_a_key_or_is_known_not_to(stack: RunningStack) -> None:
    taking: set[str] = set()
    without: set[str] = set()
    for url in stack.facts["services"].values():
        document = httpx2.get(f"{url}/internal/openapi.json", trust_env=False).json()
        for path, operations in document["paths"].items():
            if "post" not in operations or path.startswith("/internal/"):
                continue
            names = {each["name"] for each in operations["post"].get("parameters", [])}
            (taking if "Idempotency-Key" in names else without).add(path)
    assert without == set(WITHOUT)
    assert len(taking) >= 16
