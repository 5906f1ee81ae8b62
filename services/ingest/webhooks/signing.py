"""Signatures of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with
SECRET_BYTES = 32
VERSION = "v1"


def new_secret() -> str:
    """A secret as it is shown to its owner, once."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers_of(
    body: bytes, *, message_id: str, sent_at: datetime, secret_keys: Sequence[str]
) -> dict[str, str]:
    """The headers of one delivery; while a secret is rotated, both sign.

    `message_id` stays the same on every try, `sent_at` (aware) is that of this one.
    """
    timestamp = str(int(sent_at.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (f"{VERSION},{_signature(secret, signed)}" for secret in secret_keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
