"""Secrets at rest: bound to their row, opened by any known key, in two layouts that must stay."""

import base64
import hashlib
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from shared.security.sealing import Keyring, SealBrokenError, opened, sealed

KEY = bytes(range(32))
NONCE = bytes(range(12))


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def ring(*keys: str) -> Keyring:
    return Keyring(", ".join(keys), setting="SOURCE_KEYS")


@given(st.binary(), st.text(max_size=30).filter(str.isprintable))
def test_a_secret_comes_back_from_its_own_row_alone(secret: bytes, row: str) -> None:
    content = sealed(KEY, secret, row=row)
    assert opened(KEY, content, row=row) == secret
    assert content != sealed(KEY, secret, row=row)
    with pytest.raises(SealBrokenError):
        opened(KEY, content, row=f"{row}.")


def test_what_stands_in_databases_still_opens() -> None:
    """Signing keys as nonce and ciphertext, passwords with the mark of their key before that."""
    ciphertext = AESGCM(KEY).encrypt(NONCE, "žluť".encode(), b"schema.table:7")
    assert opened(KEY, NONCE + ciphertext, row="schema.table:7").decode() == "žluť"
    mark = hashlib.sha256(KEY).digest()[:8]
    word = base64.urlsafe_b64encode(KEY).decode()
    assert ring(word).open(mark + NONCE + ciphertext, row="schema.table:7") == "žluť"


def test_a_changed_or_cut_secret_does_not_open() -> None:
    keys = ring(new_key())
    content = keys.seal("secret", row="t:7")
    for spoilt in (content[:-1] + bytes([content[-1] ^ 1]), content[:12], content[:8], b""):
        with pytest.raises(SealBrokenError):
            keys.open(spoilt, row="t:7")
    for spoilt in (b"", NONCE, NONCE[:5], sealed(bytes(32), b"secret", row="t:7")):
        with pytest.raises(SealBrokenError):
            opened(KEY, spoilt, row="t:7")


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, new = new_key(), new_key()
    content = ring(old).seal("secret", row="t:7")
    both = ring(new, old)
    assert both.open(content, row="t:7") == "secret"
    assert not both.is_current(content)
    moved = both.seal("secret", row="t:7")
    assert both.is_current(moved)
    assert ring(new.rstrip("=")).open(moved, row="t:7") == "secret"
    with pytest.raises(SealBrokenError, match="SOURCE_KEYS"):
        ring(new).open(content, row="t:7")


@pytest.mark.parametrize("bad", ["", " , ", "short", base64.urlsafe_b64encode(b"x" * 16).decode()])
def test_a_bad_key_stops_the_start_without_being_shown(bad: str) -> None:
    with pytest.raises(ValueError, match="SOURCE_KEYS") as refused:
        ring(bad)
    assert not bad.strip(", ") or bad not in str(refused.value)
