"""Who is counted as one client."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.addresses import household


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        (None, "unknown"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("unix:", "unix:"),
        ("testclient", "testclient"),
    ],
)
def test_a_household_is_an_address_or_a_network(address: str | None, counted: str) -> None:
    assert household(address) == counted


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_addresses_of_one_network_are_one_household(
    address: ipaddress.IPv6Address, host: int
) -> None:
    neighbour = ipaddress.IPv6Address((int(address) >> 64 << 64) | host)
    if address.ipv4_mapped is None and neighbour.ipv4_mapped is None:
        assert household(str(address)) == household(str(neighbour))
        assert neighbour in ipaddress.ip_network(household(str(address)))


@given(st.ip_addresses(v=4))
def test_ipv4_addresses_stand_alone(address: ipaddress.IPv4Address) -> None:
    assert household(str(address)) == str(address)
    assert household(f"::ffff:{address}") == str(address)
