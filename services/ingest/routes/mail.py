"""The page behind the link in our mails by which whoever reads them stops them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.ingest import recipients
from services.ingest.dependencies import Process
from shared.errors import NotFoundError
from shared.http.idempotency import not_idempotent

router = APIRouter(tags=["mail"], prefix="/api/mail")

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
    return _page(_address(process, token), stopped=False)


@router.post("/stop", summary="Stop mails", response_class=HTMLResponse, responses=HTML)
@not_idempotent("it has no caller, and twice is as once")
async def mail_stop(process: Process, request: Request, token: Token) -> HTMLResponse:
    """Stop mails about others' imports to the address of the link, or (`resume`) send them again.

    Mail programs call it by themselves (RFC 8058).
    """
    address = _address(process, token)
    resume = b"resume=true" in await request.body()
    if resume:
        await recipients.resume(process.pool, address)
    else:
        await recipients.stop(process.pool, address)
    return _page(address, stopped=not resume)


def _address(process: Process, token: str) -> str:
    address = process.stop_links.address(token)
    if address is None:
        raise NotFoundError("this link is not ours, or not whole; copy all of it from the mail")
    return address


def _page(address: str, *, stopped: bool) -> HTMLResponse:
    page = _templates.get_template("stop.html.j2").render(address=address, stopped=stopped)
    return HTMLResponse(page, headers={"Referrer-Policy": "no-referrer"})
