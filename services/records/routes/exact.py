"""Routes whose bodies keep every digit: the default of a NUMERIC column may have forty."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.values.numbers import read_exactly


class ExactRequest(Request):
    """A request whose JSON is read without rounding a number."""

    async def json(self) -> Any:
        """The body; numbers that a float would round are `Number`s."""
        return read_exactly((await self.body()).decode())


class ExactRoute(APIRoute):
    """A route whose body is read so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, given an `ExactRequest`."""
        handle = super().get_route_handler()

        async def exact(request: Request) -> Response:
            return await handle(ExactRequest(request.scope, request.receive))

        return exact
