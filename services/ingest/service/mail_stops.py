"""Whoever reads an address's mail stops what others have us send to it, or starts it again."""

from dataclasses import dataclass

from services.ingest import recipients
from services.ingest.recipients import StopLinks
from shared.errors import NotFoundError
from shared.store.engine import RawPool


@dataclass(frozen=True, slots=True)
class MailStops:
    """By the signed token of a link in such a mail."""

    pool: RawPool
    links: StopLinks

    def address(self, token: str) -> str:
        """The address of the link; raises NotFoundError for a token that we never made."""
        address = self.links.address(token)
        if address is None:
            raise NotFoundError("this link is not ours, or not whole; copy all of it from the mail")
        return address

    async def stop(self, token: str) -> str:
        """Send no more of these mails; the address. Raises as `address`."""
        address = self.address(token)
        await recipients.stop(self.pool, address)
        return address

    async def resume(self, token: str) -> str:
        """Send them again; the address. Raises as `address`."""
        address = self.address(token)
        await recipients.resume(self.pool, address)
        return address
