"""Oracle's password log-in, the server's side, with 11g and 12c verifiers."""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
GENERATIONS, DERIVATIONS = 4096, 3


class Verifier(StrEnum):
    """How a password is hashed in the database."""

    V11G = "11g"
    V12C = "12c"


FLAGS = {Verifier.V11G: 0xB152, Verifier.V12C: 0x4815}


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and value of the authentication messages."""

    key: str
    value: str
    flags: int = 0


class PasswordCheck:
    """One log-in: the challenge, then the check of the client's answer."""

    def __init__(self, password: str, verifier: Verifier) -> None:
        self._password = password.encode()
        self._verifier = verifier
        self._salt = secrets.token_bytes(16 if verifier is Verifier.V12C else 10)
        self._mixing_salt = secrets.token_bytes(16)
        self._ours = secrets.token_bytes(32 if verifier is Verifier.V12C else 48)

    def challenge(self) -> list[Pair]:
        """The pairs of the first reply."""
        pairs = [
            Pair("AUTH_SESSKEY", _hex(_encrypt(self._hash(), self._ours))),
            Pair("AUTH_VFR_DATA", _hex(self._salt), FLAGS[self._verifier]),
        ]
        if self._verifier is Verifier.V12C:
            pairs += [
                Pair("AUTH_PBKDF2_CSK_SALT", _hex(self._mixing_salt)),
                Pair("AUTH_PBKDF2_VGEN_COUNT", str(GENERATIONS)),
                Pair("AUTH_PBKDF2_SDER_COUNT", str(DERIVATIONS)),
            ]
        return pairs

    def response(self, answers: dict[str, str]) -> str | None:
        """AUTH_SVR_RESPONSE when the password is right, else None."""
        theirs = _decrypt(self._hash(), bytes.fromhex(answers["AUTH_SESSKEY"]))
        key = self._session_key(theirs)
        plain = _decrypt(key, bytes.fromhex(answers["AUTH_PASSWORD"]))
        if _unpadded(plain)[BLOCK:] != self._password:
            return None
        return _hex(_encrypt(key, _padded(secrets.token_bytes(BLOCK) + b"SERVER_TO_CLIENT")))

    def _hash(self) -> bytes:
        if self._verifier is Verifier.V11G:
            return hashlib.sha1(self._password + self._salt).digest() + bytes(4)
        derived = hashlib.pbkdf2_hmac(
            "sha512", self._password, self._salt + b"AUTH_PBKDF2_SPEEDY_KEY", GENERATIONS, 64
        )
        return hashlib.sha512(derived + self._salt).digest()[:32]

    def _session_key(self, theirs: bytes) -> bytes:
        if self._verifier is Verifier.V11G:
            mixed = bytes(a ^ b for a, b in zip(self._ours, theirs, strict=True))[16:40]
            return (hashlib.md5(mixed[:16]).digest() + hashlib.md5(mixed[16:]).digest())[:24]
        mixed = _hex(theirs[:32] + self._ours).encode()
        return hashlib.pbkdf2_hmac("sha512", mixed, self._mixing_salt, DERIVATIONS, 32)


def _hex(data: bytes) -> str:
    return data.hex().upper()


def _padded(data: bytes) -> bytes:
    missing = BLOCK - len(data) % BLOCK
    return data + bytes([missing]) * missing


def _unpadded(data: bytes) -> bytes:
    return data[: -data[-1]]


def _encrypt(key: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(BLOCK))).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _decrypt(key: bytes, data: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(BLOCK))).decryptor()
    return decryptor.update(data) + decryptor.finalize()
