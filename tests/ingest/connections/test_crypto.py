"""Passwords at rest."""

import base64
import os

import pytest

from services.ingest.connections.crypto import (
    Keyring,
    UnreadablePasswordError,
    source_row,
)
from services.ingest.runs.reads import read_row


def key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def test_a_password_comes_back_and_does_not_show() -> None:
    ring = Keyring(key())
    sealed = ring.seal("geheim žluť", row=source_row(7))
    assert ring.open(sealed, row=source_row(7)) == "geheim žluť"
    assert b"geheim" not in sealed
    assert sealed != ring.seal("geheim žluť", row=source_row(7))


def test_a_sealed_password_is_bound_to_its_row() -> None:
    ring = Keyring(key())
    sealed = ring.seal("geheim", row=source_row(7))
    for other in (source_row(8), read_row(7)):
        with pytest.raises(UnreadablePasswordError):
            ring.open(sealed, row=other)


def test_a_changed_or_cut_password_does_not_open() -> None:
    ring = Keyring(key())
    sealed = ring.seal("geheim", row=source_row(7))
    for spoilt in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:12], sealed[:8], b""):
        with pytest.raises(UnreadablePasswordError):
            ring.open(spoilt, row=source_row(7))


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, new = key(), key()
    sealed = Keyring(old).seal("geheim", row=source_row(7))
    both = Keyring(f"{new}, {old}")
    assert both.open(sealed, row=source_row(7)) == "geheim"
    assert not both.is_current(sealed)
    moved = both.seal("geheim", row=source_row(7))
    assert both.is_current(moved)
    assert Keyring(new).open(moved, row=source_row(7)) == "geheim"
    with pytest.raises(UnreadablePasswordError):
        Keyring(new).open(sealed, row=source_row(7))


@pytest.mark.parametrize("bad", ["", ",", "short", base64.urlsafe_b64encode(b"x" * 16).decode()])
def test_a_bad_key_stops_the_start_without_being_shown(bad: str) -> None:
    with pytest.raises(ValueError, match="SOURCE_KEYS") as caught:
        Keyring(bad)
    assert not bad.strip(",") or bad not in str(caught.value)


def test_a_key_without_padding_is_the_same_key() -> None:
    padded = key()
    sealed = Keyring(padded).seal("geheim", row=source_row(1))
    assert Keyring(padded.rstrip("=")).open(sealed, row=source_row(1)) == "geheim"
