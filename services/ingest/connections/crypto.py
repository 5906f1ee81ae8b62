"""Passwords of sources at rest: AES-256-GCM, with the row's table and id as associated data.

A sealed password holds the mark of its key, so that several keys may be known: the first of
SOURCE_KEYS seals, all of them open, and `services.ingest.rotate` moves rows to the first.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
MARK_BYTES = 8
NONCE_BYTES = 12


class UnreadablePasswordError(Exception):
    """A sealed password cannot be opened: its key is not known, or the row is not its own."""


@dataclass(frozen=True, slots=True)
class _Key:
    mark: bytes
    cipher: AESGCM


class Keyring:
    """The keys of SOURCE_KEYS: a comma list of url-safe base64, each of 32 bytes.

    Raises ValueError for anything else. Nothing of a key is ever shown.
    """

    def __init__(self, source_keys: str) -> None:
        words = [word.strip() for word in source_keys.split(",") if word.strip()]
        if not words:
            raise ValueError("SOURCE_KEYS names no key")
        self._keys = [_key(word) for word in words]

    def seal(self, password: str, *, row: str) -> bytes:
        """Encrypt with the first key: its mark, a nonce, and the ciphertext.

        `row` names the row that will hold it; it opens nowhere else.
        """
        key = self._keys[0]
        nonce = os.urandom(NONCE_BYTES)
        sealed = key.cipher.encrypt(nonce, password.encode(), row.encode())
        return key.mark + nonce + sealed

    def open(self, sealed: bytes, *, row: str) -> str:
        """Decrypt; raises UnreadablePasswordError."""
        mark, rest = sealed[:MARK_BYTES], sealed[MARK_BYTES:]
        for key in self._keys:
            if key.mark == mark:
                try:
                    opened = key.cipher.decrypt(
                        rest[:NONCE_BYTES], rest[NONCE_BYTES:], row.encode()
                    )
                except (InvalidTag, ValueError) as exc:
                    raise UnreadablePasswordError("the sealed password was changed") from exc
                return opened.decode()
        raise UnreadablePasswordError("the key that sealed the password is not in SOURCE_KEYS")

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        return sealed[:MARK_BYTES] == self._keys[0].mark


def _key(word: str) -> _Key:
    try:
        secret = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ValueError(f"a key of SOURCE_KEYS is not url-safe base64 of {KEY_BYTES} bytes")
    return _Key(mark=hashlib.sha256(secret).digest()[:MARK_BYTES], cipher=AESGCM(secret))


def source_row(source_id: int) -> str:
    """The row of a saved source."""
    return f"ingest.sources:{source_id}"
