"""Routes whose JSON bodies are read without losing a member, and perhaps without losing a digit."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.values.numbers import JsonValue, read_exactly, read_once


class JsonRoute(APIRoute):
    """A route that refuses a body in which an object has a member twice: one would be lost."""

    @staticmethod
    def read(text: str) -> JsonValue:
        """The value of a body's text; raises ValueError, RecursionError."""
        return read_once(text)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, given a request that reads its body so."""
        handle, read = super().get_route_handler(), self.read
        if self.body_field is None:
            return handle

        class JsonRequest(Request):
            async def json(self) -> Any:
                return read((await self.body()).decode())

        async def whole(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return whole


class ExactRoute(JsonRoute):
    """The same for bodies that keep every digit: the default of a NUMERIC column may have forty."""

    @staticmethod
    def read(text: str) -> JsonValue:
        """The value, with `Number`s in place of floats that would lose a digit."""
        return read_exactly(text)
