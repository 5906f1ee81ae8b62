"""The page behind the link in our mails by which whoever reads them stops them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.ingest.dependencies import Process
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(tags=["mail"], prefix="/api/mail", route_class=JsonRoute)

Token = Annotated[str, Query(max_length=1000, description="Out of the link in a mail.")]
HTML: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}}, "description": "A page for people."}
}

_templates = Environment(
    loader=PackageLoader("services.ingest", "templates"), autoescape=True, undefined=StrictUndefined
)


@router.get(
    "/stop", summary="Ask whether mails shall stop", response_class=HTMLResponse, responses=HTML
)
async def mail_stop_page(process: Process, token: Token) -> HTMLResponse:
    """A page with a button; it changes nothing, because mail scanners follow links."""
    return _page(process.mail_stops.address(token), stopped=False)


@router.post("/stop", summary="Stop mails", response_class=HTMLResponse, responses=HTML)
@not_idempotent("it has no caller, and twice is as once")
async def mail_stop(process: Process, request: Request, token: Token) -> HTMLResponse:
    """Stop mails about others' imports to the address of the link, or (`resume`) send them again.

    Mail programs call it by themselves (RFC 8058).
    """
    if b"resume=true" in await request.body():
        return _page(await process.mail_stops.resume(token), stopped=False)
    return _page(await process.mail_stops.stop(token), stopped=True)


def _page(address: str, *, stopped: bool) -> HTMLResponse:
    page = _templates.get_template("stop.html.j2").render(address=address, stopped=stopped)
    return HTMLResponse(page, headers={"Referrer-Policy": "no-referrer"})
