"""Objects of S3, read with somebody's keys: URLs are signed here and fetched through the guard.

No client of S3 is let out: it would look up and connect to whatever it likes. Requests name the
bucket in their path, which every S3 server understands.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

import obstore
from obstore.store import S3Store
from yarl import URL

from services.ingest.connections.domain import Login, SourceTarget
from services.ingest.connections.errors import Reason
from services.ingest.connections.guard import Guard
from services.ingest.connections.web import AnswerError, Validators, download, guarded_session
from shared.errors import InvalidInputError

SIGNED_FOR = timedelta(minutes=15)
"""How long a download may wait for its first byte; it may take longer than that itself."""
ANY_SIZE = 1 << 62
KEY_LIMIT_BYTES = 1_024
NOBODYS = "tabularium-log-in"
"""A bucket that is asked for where only the keys are in question."""
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_CODE = re.compile(rb"<Code>([A-Za-z]{1,80})</Code>")

WRONG_KEY_ID = Reason("user", "wrong_log_in", "the server does not know the access key")
WRONG_SECRET = Reason(
    "password", "wrong_log_in", "the secret access key is not the one of this access key"
)
OTHER_REGION = Reason("region", "wrong_region", "the bucket is in another region")
NO_S3 = Reason("host", "no_s3", "what answered there is no S3 server")
CLOCK = Reason(
    "host", "clock_skewed", "the server's clock and this installation's differ too much",
    passing=True,
)  # fmt: skip
NO_OBJECT = Reason("url", "no_such_object", "there is no such object in the bucket")
REASONS: dict[str, Reason] = {
    "InvalidAccessKeyId": WRONG_KEY_ID,
    "SignatureDoesNotMatch": WRONG_SECRET,
    "AuthorizationHeaderMalformed": OTHER_REGION,
    "AuthorizationQueryParametersError": OTHER_REGION,
    "PermanentRedirect": OTHER_REGION,
    "RequestTimeTooSkewed": CLOCK,
    "NoSuchBucket": Reason("url", "no_such_bucket", "there is no such bucket"),
    "NoSuchKey": NO_OBJECT,
    "AccessDenied": Reason(
        "url", "no_grant",
        "these keys may not read the object, or it is not there and they may not list the bucket",
    ),
}  # fmt: skip
"""What S3 says (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object: a bucket, and the key in it."""

    bucket: str
    key: str

    @classmethod
    def parsed(cls, url: str, *, field_name: str) -> "S3Object":
        """`s3://bucket/key`, the key as it is, not encoded; raises InvalidInputError."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        parts = key.split("/")
        wrong: str | None = None
        if not url.startswith("s3://") or not _BUCKET.fullmatch(bucket):
            wrong = "write s3://bucket/key"
        elif not key.isprintable() or len(key.encode()) > KEY_LIMIT_BYTES:
            wrong = f"a key has at most {KEY_LIMIT_BYTES:,} bytes, and no control characters"
        elif any(part in ("", ".", "..") for part in parts):
            wrong = "a key with an empty part between slashes, `.` or `..` cannot be read"
        if wrong is not None:
            raise InvalidInputError.of(field_name, "invalid_url", wrong)
        return cls(bucket, key)

    @property
    def file_name(self) -> str:
        """The last part of the key, for the record alone."""
        return PurePosixPath(self.key).name


def endpoint(target: SourceTarget) -> str:
    """The server as the beginning of a URL."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{'http' if target.tls is False else 'https'}://{host}:{target.port}"


async def signed(login: Login, which: S3Object) -> URL:
    """A URL from which the object may be read for a while by whoever has it: a secret."""
    target = login.target
    store = S3Store(
        which.bucket,
        endpoint=endpoint(target),
        region=target.region,
        access_key_id=target.user,
        secret_access_key=login.password,
        virtual_hosted_style_request=False,
        client_options={"allow_http": target.tls is False},
    )
    # Not decoded and encoded again: the signature is of these very characters.
    return URL(await obstore.sign_async(store, "GET", which.key, SIGNED_FOR), encoded=True)


def explained(_status: int, body: bytes) -> Reason | None:
    """Why S3 refused, by the beginning of its answer; None for what it does not say so."""
    match = _CODE.search(body)
    return None if match is None else REASONS.get(match[1].decode())


async def refusal(guard: Guard, login: Login, which: S3Object) -> Reason | None:
    """Why the object cannot be read with these keys, after a try that reads none of it."""
    try:
        async with (
            guarded_session(guard) as session,
            download(
                session,
                await signed(login, which),
                headers={"Range": "bytes=0-0"},
                validators=Validators(),
                limit_bytes=ANY_SIZE,
                explain=explained,
            ),
        ):
            return None
    except AnswerError as exc:
        if exc.reason is not None:
            return exc.reason
        if exc.status == 416:  # an empty object has no first byte
            return None
        if exc.status is not None:
            return NO_S3
        return Reason("host", "cannot_connect", str(exc), passing=exc.again)


async def greet(guard: Guard, login: Login) -> str:
    """Try the keys; the server. Raises SourceUnusableError, SourceAwayError."""
    reason = await refusal(guard, login, S3Object(NOBODYS, NOBODYS))
    # Whoever says this has accepted the keys.
    if reason is not None and reason.field != "url":
        raise reason.error()
    return f"S3 at {login.target.host}"
