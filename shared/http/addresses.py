"""Client addresses as rate limits count them."""

import ipaddress


def household(address: str | None) -> str:
    """The key of one client: an IPv4 address, or the /64 network of an IPv6 address.

    A customer usually gets a whole /64. Text that is not an address is its own key; all clients
    without a known address (None) share one.
    """
    if address is None:
        return "unknown"
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"
