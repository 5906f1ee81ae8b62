"""Where a user may have us connect."""

from collections.abc import Sequence

import pytest

from services.ingest.connections.guard import (
    Endpoint,
    Guard,
    HostName,
    Resolve,
    SourceRefusedError,
    endpoints_of,
    guard_of,
    host_name,
)

OPEN = guard_of(networks="public", ports="")


def names(**known: Sequence[str]) -> Resolve:
    """A resolver of hand-made names; `a_b` stands for `a.b`."""

    async def resolve(name: HostName, _port: int) -> Sequence[str]:
        try:
            return known[name.replace(".", "_")]
        except KeyError:
            raise OSError("unknown") from None

    return resolve


async def refused(guard: Guard, host: str, port: int = 5432, resolve: Resolve | None = None) -> str:
    with pytest.raises(SourceRefusedError) as caught:
        await guard.checked(host, port, resolve=resolve)
    return caught.value.errors[0].code


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "localhost",
        "::1",
        "[::1]",
        "0.0.0.0",
        "::",
        "10.0.0.7",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "fe80::1",
        "fd00::1",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.9",
        "240.0.0.1",
        "168.63.129.16",
        "::ffff:0:127.0.0.1",
        "::ffff:0:10.0.0.1",
        "fec0::1",
        "100::1",
        "2001:db8::1",
        "2001:2::1",
        "3fff::1",
        "5f00::1",
        "64:ff9b:1::a00:1",
        "2001:0:0:0:0:0:80ff:fffe",
        "4000::1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
    ],
)
async def test_inner_addresses_are_refused_in_every_spelling(host: str) -> None:
    assert await refused(OPEN, host) in ("host_not_allowed", "host_unknown")


async def test_what_the_operator_lists_is_allowed() -> None:
    guard = guard_of(networks="127.0.0.0/8, ::1/128", ports="")
    assert (await guard.checked("127.0.0.1", 5432)).address == "127.0.0.1"
    assert (await guard.checked("::1", 5432)).address == "::1"
    assert (await guard.checked("::ffff:127.0.0.1", 5432)).port == 5432
    assert await refused(guard, "10.0.0.1") == "host_not_allowed"
    assert await refused(guard, "93.184.215.14") == "host_not_allowed"


async def test_public_addresses_are_allowed_where_the_operator_says_so() -> None:
    assert (await OPEN.checked("93.184.215.14", 5432)).address == "93.184.215.14"
    both = guard_of(networks="public,10.1.0.0/16", ports="")
    assert (await both.checked("10.1.2.3", 5432)).address == "10.1.2.3"
    assert (await both.checked("93.184.215.14", 5432)).address == "93.184.215.14"


async def test_a_name_with_one_inner_address_is_refused_whole() -> None:
    resolve = names(two_example_com=["93.184.215.14", "127.0.0.1"])
    assert await refused(OPEN, "two.example.com", resolve=resolve) == "host_not_allowed"


async def test_the_checked_address_is_what_is_handed_on() -> None:
    asked: list[str] = []

    async def changing(name: HostName, _port: int) -> Sequence[str]:
        asked.append(name)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    checked = await OPEN.checked("db.example.com", 5432, resolve=changing)
    assert (checked.host, checked.address) == ("db.example.com", "93.184.215.14")
    assert asked == ["db.example.com"]


async def test_an_unknown_name_is_told_as_such() -> None:
    assert await refused(OPEN, "nowhere.example.com", resolve=names()) == "host_unknown"


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "/tmp",
        "/var/run/postgresql",
        "./socket",
        "@abstract",
        "good,127.0.0.1",
        "good)(PORT=1)(HOST=evil",
        "(DESCRIPTION=(ADDRESS=(HOST=x)))",
        "host=evil",
        "good?sslmode=disable",
        "user@host",
        "host:5433",
        "a b",
        "line\nbreak",
        "nul\0byte",
        "fe80::1%eth0",
        "-dash.example.com",
        "x" * 64 + ".example.com",
        "tcps://host",
    ],
)
async def test_a_host_is_a_host_and_nothing_else(host: str) -> None:
    assert await refused(OPEN, host) == "invalid_host"


def test_ordinary_hosts_are_kept() -> None:
    for host in ("db", "db.example.com", "db_1.internal", "xn--bcher-kva.example", "10.0.0.1"):
        assert host_name(host) == host
    assert host_name(" db.example.com ") == "db.example.com"
    assert host_name("[2001:db8::1]") == "2001:db8::1"


async def test_ports_outside_the_list_are_refused() -> None:
    guard = guard_of(networks="public", ports="5432, 1521-1530")
    for port in (5432, 1521, 1530):
        assert (await guard.checked("93.184.215.14", port)).port == port
    for port in (22, 5433, 1531):
        assert await refused(guard, "93.184.215.14", port) == "port_not_allowed"


async def test_listed_networks_take_any_port() -> None:
    guard = guard_of(networks="public,10.1.0.0/16", ports="5432")
    assert (await guard.checked("10.1.2.3", 9999)).port == 9999
    mixed = names(db_example_com=["10.1.2.3", "93.184.215.14"])
    assert await refused(guard, "db.example.com", 9999, mixed) == "port_not_allowed"


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"]
)
async def test_the_open_internet_is_open(host: str) -> None:
    assert (await OPEN.checked(host, 5432)).host == host


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("127.0.0.1", 6379),
        ("127.8.9.1", 6379),
        ("::1", 6379),
        ("::ffff:127.0.0.1", 6379),
        ("10.1.0.9", 25),
        ("mail.example.com", 25),
        ("::ffff:10.1.0.9", 25),
    ],
)
async def test_the_installations_own_servers_are_refused_although_listed(
    host: str, port: int
) -> None:
    own = [Endpoint("localhost", 6379), Endpoint("smtp.inside", 25), Endpoint("gone.inside", 25)]
    guard = guard_of(networks="public,127.0.0.0/8,::1/128,10.1.0.0/16", ports="", own=own)
    known = {
        "localhost": "127.0.0.1",
        "smtp.inside": "10.1.0.9",
        "mail.example.com": "10.1.0.9",
        "gone.inside": "",
    }

    async def resolve(name: HostName, _port: int) -> Sequence[str]:
        return [address] if (address := known.get(name, name)) else []

    assert await refused(guard, host, port, resolve) == "own_server"
    assert (await guard.checked("10.1.0.9", 6379, resolve=resolve)).port == 6379


def test_a_url_names_its_servers() -> None:
    assert endpoints_of("redis+sentinel://a:b@one:6543,two/primary", default_port=26379) == (
        Endpoint("one", 6543),
        Endpoint("two", 26379),
    )
    (web,) = endpoints_of("https://data.example.com", default_port=443)
    assert web.port == 443
    assert endpoints_of("redis://[::1]/0", default_port=6379) == (Endpoint("::1", 6379),)


@pytest.mark.parametrize(
    ("networks", "ports"),
    [("localhost", ""), ("10.0.0.1/8", ""), ("public", "0"), ("public", "9-3"), ("public", "x")],
)
def test_settings_that_make_no_sense_stop_the_start(networks: str, ports: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        guard_of(networks=networks, ports=ports)
