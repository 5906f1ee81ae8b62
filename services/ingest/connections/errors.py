"""Why a source cannot be used, in plain words: drivers' errors translated once.

A caller who submits gets any of these as 422. In a worker `SourceAwayError` means: try the run
again; the others end it.
"""

import errno
import re
import ssl
from dataclasses import dataclass

import asyncpg

from shared.errors import ConflictError, InvalidInputError, UnavailableError


class SourceUnusableError(InvalidInputError):
    """The source refuses us, or refuses what is asked of it; trying again does not help."""

    code = "source_unusable"
    title = "The source cannot be used"


class SourceAwayError(SourceUnusableError):
    """The source is away, busy, or was lost half-way; trying again may help."""

    code = "source_away"
    title = "The source is away"


class OwnDatabaseError(SourceUnusableError):
    """The source is our own database, which is read through the API, by the caller's rights."""

    code = "own_database"


class SourceInUseError(ConflictError):
    """A feed reads the saved source that is to be removed."""

    code = "source_in_use"


class SourceNameTakenError(ConflictError):
    """The caller has a saved source of this name."""

    code = "source_name_taken"


class SourcesNotSetUpError(UnavailableError):
    """The installation has no key for passwords, so it keeps none and reads no databases."""

    code = "sources_not_set_up"


@dataclass(frozen=True, slots=True)
class Reason:
    """What to say: the field, a code, the words, and whether trying again may help."""

    field: str
    code: str
    words: str
    passing: bool = False

    def error(self) -> SourceUnusableError:
        """The error that says it."""
        kind = SourceAwayError if self.passing else SourceUnusableError
        error = kind.of(self.field, self.code, self.words)
        assert isinstance(error, SourceUnusableError)
        return error


WRONG_LOG_IN = Reason("password", "wrong_log_in", "the user name or the password is wrong")
NO_ANSWER = Reason("host", "no_answer", "the server did not answer in time", passing=True)
LOST = Reason(
    "source", "connection_lost", "the connection to the source was lost; nothing was loaded",
    passing=True,
)  # fmt: skip
TOO_SLOW = Reason(
    "source", "too_slow", "the source delivers its rows too slowly; nothing was loaded"
)
NOBODY_LISTENS = Reason(
    "port", "nobody_listens", "nothing listens at this host and port", passing=True
)
CERTIFICATE = Reason("tls", "certificate", "the server's TLS certificate cannot be verified")
NO_TLS = Reason("tls", "no_tls", "the server does not offer TLS")
NO_TABLE = Reason("table", "no_such_table", "there is no such table, or this user may not read it")
NO_GRANT = Reason("table", "no_grant", "this user may not read that")
NO_DATABASE = Reason(
    "source_id", "no_database", "this source is S3, which has files: a feed of the kind s3 reads it"
)
NO_FILES = Reason(
    "from.source_id", "no_files", "this source is a database: a feed of the kind database reads it"
)
NEEDS_THICK = "which needs Oracle's own client libraries; they are not part of this installation"
BUSY = Reason(
    "source", "listener_refused", "the listener refused: the database is busy or starting",
    passing=True,
)  # fmt: skip
EXPIRED = Reason(
    "source", "snapshot_expired", "the source no longer has the rows as they were at the start",
    passing=True,
)  # fmt: skip

ORACLE_REASONS: dict[str, Reason] = {
    "ORA-01017": WRONG_LOG_IN,
    "ORA-01005": WRONG_LOG_IN,
    "ORA-28000": Reason("user", "account_locked", "the account is locked"),
    "ORA-28001": Reason("password", "password_expired", "the password has expired"),
    "ORA-01045": Reason("user", "no_session", "this user may not log in (CREATE SESSION)"),
    "DPY-6001": Reason("service_name", "unknown_service", "the listener knows no such service"),
    "DPY-6003": Reason("sid", "unknown_sid", "the listener knows no such SID"),
    "DPY-6000": BUSY,
    "ORA-01033": BUSY,
    "ORA-01034": BUSY,
    "ORA-12528": BUSY,
    "DPY-3001": Reason(
        "host", "native_encryption", f"the server demands native network encryption, {NEEDS_THICK}"
    ),
    "DPY-3010": Reason(
        "host", "too_old", f"the server is older than Oracle Database 12.1, {NEEDS_THICK}"
    ),
    "DPY-3015": Reason(
        "user", "old_password_hash", f"the password is kept as an old hash (10G), {NEEDS_THICK}"
    ),
    "DPY-6006": CERTIFICATE,
    "ORA-00942": NO_TABLE,
    "ORA-01031": NO_GRANT,
    "ORA-01555": EXPIRED,
    "ORA-08181": EXPIRED,
    "DPY-4024": NO_ANSWER,
    "DPY-4011": LOST,
    "DPY-1001": LOST,
    "ORA-03113": LOST,
    "ORA-00028": LOST,
    "ORA-02396": LOST,
    "ORA-00600": LOST,
}

ROW_SECURITY = Reason(
    "table",
    "row_security",
    "a row security policy hides rows of this table from this user: read it as its owner, or as a"
    " user with BYPASSRLS",
)
_ROW_SECURITY_FUNCTION = "check_enable_rls"
"""Where PostgreSQL raises it (src/backend/utils/misc/rls.c); its message may be translated."""

POSTGRESQL_REASONS: dict[str, Reason] = {
    "28P01": WRONG_LOG_IN,
    "28000": Reason("user", "not_let_in", "the server does not let this user in from here"),
    "3D000": Reason("database", "unknown_database", "the server has no such database"),
    "42501": NO_GRANT,
    "42P01": NO_TABLE,
    "3F000": NO_TABLE,
    "53300": Reason("source", "busy", "the server has no connection to spare", passing=True),
    "57P03": Reason("source", "busy", "the server is starting or shutting down", passing=True),
    "40001": EXPIRED,
    "72000": EXPIRED,
}
_CODES = re.compile(r"(?:ORA|DPY)-\d+")


def oracle_reason(error: BaseException) -> Reason:
    """Why Oracle, or the driver, said no."""
    if reason := _transport_reason(error):
        return reason
    text = _whole_text(error)
    codes = _CODES.findall(text)
    for code in codes:
        if code in ORACLE_REASONS:
            return ORACLE_REASONS[code]
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return CERTIFICATE
    if f"[Errno {errno.ECONNREFUSED}]" in text:
        return NOBODY_LISTENS
    if "DPY-6005" in codes:
        return Reason("host", "cannot_connect", "no connection came about", passing=True)
    return Reason("source", "source_error", _first_line(str(error)))


def postgresql_reason(error: BaseException) -> Reason:
    """Why PostgreSQL, or the driver, said no."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state[:2] in ("08", "57", "58", "XX") and state not in POSTGRESQL_REASONS:
            return LOST
        other = Reason("source", "source_error", _first_line(str(error)))
        if state == "42601":
            text = (
                f"send one SELECT, without a semicolon; the server says: {_first_line(str(error))}"
            )
            other = Reason("query", "query_refused", text)
        hidden = getattr(error, "server_source_function", None) == _ROW_SECURITY_FUNCTION
        return ROW_SECURITY if hidden else POSTGRESQL_REASONS.get(state, other)
    if reason := _transport_reason(error):
        return reason
    if isinstance(error, ConnectionError) and "SSL" in str(error):
        return NO_TLS
    if isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return LOST
    return Reason("host", "no_postgresql", "what answered there is no PostgreSQL server")


def _transport_reason(error: BaseException) -> Reason | None:
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATE
    if isinstance(error, ssl.SSLError):
        return Reason("tls", "no_tls", "no TLS connection came about")
    if isinstance(error, ConnectionRefusedError):
        return NOBODY_LISTENS
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Reason("host", "unreachable", "there is no way to this host", passing=True)
    return None


def _whole_text(error: BaseException) -> str:
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < 10:
        parts.append(str(current))
        current = current.__cause__ or current.__context__
    return "\n".join(parts)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300] or "the source gave no reason"
