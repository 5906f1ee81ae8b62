"""Signatures, verified by the package of the standard's authors."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.ingest.webhooks.signing import headers_of, new_secret

BODY = '{"type":"import.succeeded","data":{"table":"Zoë"}}'.encode()


def test_what_we_sign_the_standards_own_package_verifies() -> None:
    secret = new_secret()
    headers = headers_of(BODY, message_id="msg_1", sent_at=datetime.now(UTC), secret_keys=[secret])
    assert Webhook(secret).verify(BODY, headers) == {
        "type": "import.succeeded",
        "data": {"table": "Zoë"},
    }


def test_while_a_secret_is_rotated_either_verifies() -> None:
    old, new = new_secret(), new_secret()
    headers = headers_of(
        BODY, message_id="msg_1", sent_at=datetime.now(UTC), secret_keys=[new, old]
    )
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_a_body_or_id_that_changed_is_refused() -> None:
    secret = new_secret()
    headers = headers_of(BODY, message_id="msg_1", sent_at=datetime.now(UTC), secret_keys=[secret])
    for body, sent in ((BODY + b" ", headers), (BODY, headers | {"webhook-id": "msg_2"})):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, sent)
