"""Reading a small body before anything else is done with its request."""

from starlette.types import Message, Receive

from gateway.errors import ClientGoneError
from shared.errors import TooLargeError


async def read_whole(receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body.

    Raises TooLargeError over the limit, and ClientGoneError.
    """
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise TooLargeError(
                f"the body of this call has at most {limit_bytes} bytes", limit_bytes=limit_bytes
            )
        more = message.get("more_body", False)
    return body


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns a body that was read, then what `receive` returns."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
