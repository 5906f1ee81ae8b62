"""Addresses of clients, as limits count them."""

import ipaddress


def household(address: str | None) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one.

    A household has a whole /64. What is no address stands for itself, and None for all whose
    address is not known.
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
