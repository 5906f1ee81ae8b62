"""Secrets at rest: AES-256-GCM, bound to the row that holds them.

The row's name is the associated data: a sealed secret cannot be opened as another row's.
"""

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZE_BYTES = 32
NONCE_SIZE_BYTES = 12
MARK_SIZE_BYTES = 8


class SealBrokenError(Exception):
    """A sealed secret cannot be opened: it has another key, another row, or was changed."""


def sealed(key: bytes, secret: bytes, *, row: str) -> bytes:
    """Encrypt a secret with a key of 32 bytes; returns nonce + ciphertext."""
    nonce = os.urandom(NONCE_SIZE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, row.encode())


def opened(key: bytes, content: bytes, *, row: str) -> bytes:
    """Decrypt what `sealed` returned; raises SealBrokenError."""
    nonce, ciphertext = content[:NONCE_SIZE_BYTES], content[NONCE_SIZE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, row.encode())
    except (InvalidTag, ValueError) as exc:
        raise SealBrokenError("the sealed secret was changed, or is another row's") from exc


class Keyring:
    """The keys in a setting: the first one seals, any of them opens.

    A sealed secret begins with a mark of its key (8 bytes of the key's SHA-256), so that keys can
    be rotated. Messages never contain a part of a key.
    """

    def __init__(self, value: str, *, setting: str) -> None:
        """Parse a comma-separated list of keys, each 32 bytes in url-safe base64.

        Raises ValueError naming the setting.
        """
        words = [word.strip() for word in value.split(",") if word.strip()]
        if not words:
            raise ValueError(f"{setting} names no key")
        keys = [_key(word, setting=setting) for word in words]
        self._setting = setting
        self._keys = {_mark(key): key for key in keys}
        self._current = _mark(keys[0])

    def seal(self, secret: str, *, row: str) -> bytes:
        """Encrypt with the first key; returns mark + nonce + ciphertext."""
        return self._current + sealed(self._keys[self._current], secret.encode(), row=row)

    def open(self, content: bytes, *, row: str) -> str:
        """Decrypt what `seal` returned; raises SealBrokenError."""
        mark, rest = content[:MARK_SIZE_BYTES], content[MARK_SIZE_BYTES:]
        if mark not in self._keys:
            raise SealBrokenError(f"the key that sealed the secret is not in {self._setting}")
        return opened(self._keys[mark], rest, row=row).decode()

    def is_current(self, content: bytes) -> bool:
        """Whether a secret was sealed with the first key."""
        return content[:MARK_SIZE_BYTES] == self._current


def _mark(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:MARK_SIZE_BYTES]


def _key(word: str, *, setting: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_SIZE_BYTES:
        raise ValueError(f"a key of {setting} is not url-safe base64 of {KEY_SIZE_BYTES} bytes")
    return key
