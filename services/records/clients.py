"""Peers over HTTP: auth, which knows people and machine clients, the catalog, and ingest."""

from services.records.errors import SubjectNotFoundError
from shared.contracts.auth import SubjectAnswer, SubjectRequest
from shared.contracts.catalog import TableEvent
from shared.contracts.events import TableNews
from shared.errors import InvalidInputError
from shared.http.peers import PeerClient, PeerProblemError


class SubjectClient:
    """Finds subjects by what people call them."""

    def __init__(self, auth: PeerClient) -> None:
        self._auth = auth

    async def resolve(self, identifier: str) -> SubjectAnswer:
        """The subject behind an e-mail address, client id or sub.

        Every address has one, whether it has an account or not: a grant tells nobody which.
        Raises SubjectNotFoundError, PeerUnavailableError.
        """
        request = SubjectRequest(identifier=identifier)
        try:
            return await self._auth.call("POST", "/internal/subjects", SubjectAnswer, body=request)
        except PeerProblemError as exc:
            if exc.status not in (404, 422):
                raise
            raise unknown_subject(identifier) from exc


def unknown_subject(identifier: str) -> InvalidInputError:
    """The problem of an identifier that belongs to nobody."""
    message = f"nobody goes by {identifier[:100]!r}; send an e-mail address or a client id"
    return SubjectNotFoundError.of("identifier", SubjectNotFoundError.code, message)


class CatalogClient:
    """Sends the catalog what happened to tables."""

    def __init__(self, catalog: PeerClient) -> None:
        self._catalog = catalog

    async def send(self, event: TableEvent) -> None:
        """Send one event; raises PeerProblemError, PeerUnavailableError."""
        await self._catalog.send("POST", "/internal/catalog/table-events", body=event)


class IngestClient:
    """Sends ingest what webhooks may be called for."""

    def __init__(self, ingest: PeerClient) -> None:
        self._ingest = ingest

    async def send(self, news: TableNews) -> None:
        """Send one event; raises PeerProblemError, PeerUnavailableError."""
        await self._ingest.send("POST", "/internal/events", body=news)
