"""Passwords of roles as PostgreSQL stores them (SCRAM-SHA-256), made before they are sent.

So no password stands in a statement, nor in the server's log, whatever `log_statement` says. The
form is that of `pg_authid.rolpassword`: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`
(RFC 5802, RFC 7677), as psql sends it too.
"""

import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from base64 import b64encode

ITERATIONS = 4096
SALT_BYTES = 16


def scram_verifier(password: str, *, salt: bytes | None = None) -> str:
    """The verifier of a password, with a random salt unless one is given."""
    salt = salt or secrets.token_bytes(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password).encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    keys = ":".join(b64encode(key).decode() for key in (stored_key, server_key))
    return f"SCRAM-SHA-256${ITERATIONS}:{b64encode(salt).decode()}${keys}"


def _prepared(password: str) -> str:
    """SASLprep (RFC 4013) as PostgreSQL does it: what it forbids is taken as it is."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(sign) else sign
        for sign in password
        if not stringprep.in_table_b1(sign)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
        stringprep.in_table_a1,
    )
    if not normal or any(refuses(sign) for sign in normal for refuses in forbidden):
        return password
    right_to_left = [stringprep.in_table_d1(sign) for sign in normal]
    mixed = any(right_to_left) and not (
        right_to_left[0]
        and right_to_left[-1]
        and not any(stringprep.in_table_d2(sign) for sign in normal)
    )
    return password if mixed else normal
