"""A server that speaks S3, over the wire (moto), and the environment by which it is found."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import aiohttp
import botocore.auth
import botocore.awsrequest
import botocore.credentials
from aiohttp import web
from moto.server import ThreadedMotoServer
from yarl import URL


@contextmanager
def s3_server() -> Iterator[str]:
    """The URL of a server without buckets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def s3_environment(url: str) -> Mapping[str, str]:
    """What a client of that server has in its environment."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "tabularium",
        "AWS_SECRET_ACCESS_KEY": "only-for-tests",
        "AWS_REGION": "us-east-1",
    }


@dataclass
class CheckedS3:
    """moto behind a door that checks signed URLs, which moto takes unread.

    The signatures are made a second time by botocore, AWS's own library.
    """

    behind: str
    access_key: str
    secret_key: str
    region: str = "eu-central-1"
    url: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """The paths that were asked for, and what was answered."""

    async def answer(self, request: web.Request) -> web.Response:
        response = await self._answer(request)
        self.asked.append((request.path, response.status))
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        if (code := self._refusal(request)) is not None:
            return web.Response(status=403, text=f"<Error><Code>{code}</Code></Error>")
        conditions = ("If-None-Match", "If-Modified-Since", "Range")
        headers = {name: request.headers[name] for name in conditions if name in request.headers}
        there = URL(f"{self.behind}{request.raw_path}", encoded=True)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as client,
            client.get(there, headers=headers) as response,
        ):
            kept = ("ETag", "Last-Modified", "Content-Type")
            told = {name: response.headers[name] for name in kept if name in response.headers}
            return web.Response(status=response.status, body=await response.read(), headers=told)

    def _refusal(self, request: web.Request) -> str | None:
        key, day, region = request.query["X-Amz-Credential"].split("/")[:3]
        if key != self.access_key:
            return "InvalidAccessKeyId"
        if region != self.region:
            return "AuthorizationQueryParametersError"
        bare = f"http://{request.host}{request.rel_url.raw_path}"
        again = botocore.awsrequest.AWSRequest(method=request.method, url=bare)
        signer = botocore.auth.S3SigV4QueryAuth(
            botocore.credentials.Credentials(self.access_key, self.secret_key),
            "s3",
            region,
            expires=int(request.query["X-Amz-Expires"]),
        )
        at = dt.datetime.strptime(request.query["X-Amz-Date"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
        assert at.strftime("%Y%m%d") == day
        return (
            None
            if _signature(signer, again, at) == request.query["X-Amz-Signature"]
            else ("SignatureDoesNotMatch")
        )


def _signature(
    signer: botocore.auth.S3SigV4QueryAuth, request: botocore.awsrequest.AWSRequest, at: dt.datetime
) -> str:
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


@asynccontextmanager
async def checked_s3(behind: str, *, access_key: str, secret_key: str) -> AsyncIterator[CheckedS3]:
    """The door in front of a server of `s3_server`."""
    door = CheckedS3(behind, access_key, secret_key)
    app = web.Application()
    app.router.add_get("/{path:.*}", door.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield door
    finally:
        await runner.cleanup()
