"""Which hosts a user may have us call; every address is checked, and the checked one is called.

A name is resolved once, here. Whoever connects takes the address that was checked and never
resolves again, so that a name cannot change its mind in between. Not here: TLS and log-ins.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NewType
from urllib.parse import urlsplit

from services.ingest.connections.addresses import (
    IpAddress,
    IpNetwork,
    effective,
    is_public,
)
from shared.errors import InvalidInputError

HostName = NewType("HostName", str)
"""A host name or address literal and nothing else: no path, no option, no bracket."""

Resolve = Callable[[HostName, int], Awaitable[Sequence[str]]]
"""Every address of a name, as text; raises OSError when there is none."""

LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
PUBLIC = "public"
"""In SOURCE_ALLOWED_NETWORKS: every address of the open internet."""
RESOLVE_TIMEOUT_S = 5.0
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")


class SourceRefusedError(InvalidInputError):
    """We may not, or cannot, connect to the database that was named."""

    code = "source_refused"
    title = "The source cannot be used"


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """An address that may be called; `host` is what the user wrote, for TLS and for messages."""

    host: HostName
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server of the installation's own; its host may be a name."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of this installation."""

    networks: tuple[IpNetwork, ...] = ()
    """Allowed by listing, whatever the port."""
    public: bool = True
    ports: tuple[PortRange, ...] = ()
    """For public addresses; empty: any port."""
    own: tuple[Endpoint, ...] = ()
    """Never to be called, wherever they are."""

    async def checked(
        self, host: str, port: int, *, resolve: Resolve | None = None
    ) -> CheckedAddress:
        """Resolve once and check every address; the first one is the one to call.

        Raises SourceRefusedError, naming `host` or `port`.
        """
        name = host_name(host)
        asked = resolve or _system_resolve
        addresses = [
            ipaddress.ip_address(address) for address in await _resolved(name, port, asked)
        ]
        # One bad address is enough: the next look-up could put it first.
        if not all(self._is_listed(address) or self._is_open(address) for address in addresses):
            raise SourceRefusedError.of(
                "host",
                "host_not_allowed",
                f"this installation may not connect to {name}; its operator can allow the network",
            )
        if not self._takes(port) and not all(map(self._is_listed, addresses)):
            raise SourceRefusedError.of(
                "port", "port_not_allowed", f"this installation may not connect to port {port}"
            )
        if await self._is_own(addresses, port, asked):
            raise SourceRefusedError.of(
                "host", "own_server", "this is a server of Tabularium itself; use its API instead"
            )
        return CheckedAddress(host=name, address=str(addresses[0]), port=port)

    async def peers(self, *, resolve: Resolve | None = None) -> "AllowedPeers":
        """The same rules for whoever meets addresses where nothing can be waited for."""
        own = [
            (place, server.port)
            for server in self.own
            for place in await _places(server, resolve or _system_resolve)
        ]
        return AllowedPeers(self, frozenset(own))

    def allows(self, address: IpAddress, port: int) -> bool:
        """Whether an address and port may be called, our own servers aside."""
        return self._is_listed(address) or (self._is_open(address) and self._takes(port))

    def _is_listed(self, address: IpAddress) -> bool:
        return any(
            candidate.version == network.version and candidate in network
            for network in self.networks
            for candidate in (address, effective(address))
        )

    def _is_open(self, address: IpAddress) -> bool:
        return self.public and is_public(effective(address))

    def _takes(self, port: int) -> bool:
        return not self.ports or any(span.first <= port <= span.last for span in self.ports)

    async def _is_own(self, addresses: Sequence[IpAddress], port: int, resolve: Resolve) -> bool:
        own: set[IpAddress] = set()
        for server in self.own:
            if server.port == port:
                own |= await _places(server, resolve)
        return any(_place(address) in own for address in addresses)


@dataclass(frozen=True, slots=True)
class AllowedPeers:
    """The guard's rules as a socket asks them: `own` are places and ports of our own servers."""

    guard: Guard
    own: frozenset[tuple[IpAddress, int]]

    def allows(self, address: IpAddress, port: int) -> bool:
        """Whether an address may be connected to."""
        return self.guard.allows(address, port) and (_place(address), port) not in self.own


def guard_of(*, networks: str, ports: str, own: Sequence[Endpoint] = ()) -> Guard:
    """Read SOURCE_ALLOWED_NETWORKS and SOURCE_ALLOWED_PORTS.

    Networks: a comma list of CIDR networks, and `public`. Ports: a comma list of ports and
    ranges (`5432,1521-1530`), empty for any. Raises ValueError.
    """
    words = [word.strip() for word in networks.split(",") if word.strip()]
    return Guard(
        networks=tuple(ipaddress.ip_network(word) for word in words if word.lower() != PUBLIC),
        public=any(word.lower() == PUBLIC for word in words),
        ports=tuple(_port_range(word.strip()) for word in ports.split(",") if word.strip()),
        own=tuple(own),
    )


def endpoints_of(url: str, *, default_port: int) -> tuple[Endpoint, ...]:
    """The servers that a URL names, by commas where there are several."""
    hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    each = [urlsplit(f"//{host}") for host in hosts]
    return tuple(Endpoint(one.hostname or "localhost", one.port or default_port) for one in each)


def host_name(text: str) -> HostName:
    """A host that is nothing but a host.

    A path would open a Unix socket, a comma would name two hosts, a bracket would rewrite an
    Oracle connect string. Raises SourceRefusedError.
    """
    candidate = text.strip().removeprefix("[").removesuffix("]") if ":" in text else text.strip()
    try:
        # An IPv6 zone (`%eth0`) is the caller's idea of our interfaces.
        if "%" not in candidate:
            return HostName(str(ipaddress.ip_address(candidate)))
    except ValueError:
        pass
    if not _NAME.fullmatch(candidate):
        raise SourceRefusedError.of(
            "host", "invalid_host", "give a plain host name or address, without path or options"
        )
    return HostName(candidate)


async def _places(server: Endpoint, resolve: Resolve) -> set[IpAddress]:
    with contextlib.suppress(SourceRefusedError):  # a name that is unknown just now
        addresses = await _resolved(host_name(server.host), server.port, resolve)
        return {_place(ipaddress.ip_address(address)) for address in addresses}
    return set()


def _place(address: IpAddress) -> IpAddress:
    """The same for every way to one place: all of loopback is this machine."""
    meant = effective(address)
    return LOOPBACK if meant.is_loopback or meant.is_unspecified else meant


def _port_range(word: str) -> PortRange:
    first, _, last = word.partition("-")
    span = PortRange(first=int(first), last=int(last or first))
    if not 0 < span.first <= span.last < 65536:
        raise ValueError(f"{word!r} is neither a port nor a range of ports")
    return span


async def _resolved(name: HostName, port: int, resolve: Resolve) -> Sequence[str]:
    addresses: Sequence[str] = ()
    with contextlib.suppress(OSError, UnicodeError):  # a time-out is an OSError
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            addresses = await resolve(name, port)
    if not addresses:
        raise SourceRefusedError.of(
            "host", "host_unknown", f"no address is known for the host {name}"
        )
    return addresses


async def _system_resolve(name: HostName, port: int) -> Sequence[str]:
    entries = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    # A scope id behind `%` belongs to link-local addresses, which are refused without it too.
    return [str(entry[4][0]).partition("%")[0] for entry in entries]
