from ipaddress import ip_network
from typing import Any

import pytest

from gateway.errors import BadRequestError
from gateway.incoming import Incoming, read_head

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def head(
    *headers: tuple[str, str], client: str = "203.0.113.7", trusted: Any = (), **scope: Any
) -> Incoming:
    sent = [("host", "tab.example"), *headers]
    return read_head(
        {
            "type": "http",
            "method": "GET",
            "http_version": "1.1",
            "scheme": "http",
            "raw_path": b"/api/tables",
            "query_string": b"",
            "client": (client, 4711),
            "server": ("127.0.0.1", 8000),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent],
            **scope,
        },
        trusted_proxies=trusted,
    )


def test_the_gateway_alone_says_where_a_request_came_from() -> None:
    incoming = head(
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-prefix", "/internal"),
        ("forwarded", "for=1.2.3.4"),
        ("x-real-ip", "1.2.3.4"),
        ("x-original-url", "/internal/subjects"),
        ("accept", "*/*"),
    )
    assert dict(incoming.headers) == {
        "accept": "*/*",
        "x-request-id": incoming.request_id,
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "tab.example",
        "forwarded": 'for=203.0.113.7;host="tab.example";proto=http',
    }


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ("198.51.100.9", "198.51.100.9"),
        ("6.6.6.6, 198.51.100.9, 10.1.1.1", "198.51.100.9"),
        ("6.6.6.6, nonsense", "10.0.0.1"),
        ("10.2.2.2, 10.1.1.1", "10.2.2.2"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("198.51.100.9:1234", "198.51.100.9"),
        ("", "10.0.0.1"),
    ],
)
def test_trusted_proxies_are_believed_up_to_the_first_stranger(chain: str, address: str) -> None:
    incoming = head(
        ("x-forwarded-for", chain),
        ("x-forwarded-proto", "https"),
        client="10.0.0.1",
        trusted=PROXIES,
    )
    assert incoming.address == address
    assert ("x-forwarded-proto", "https") in incoming.headers


def test_a_stranger_is_not_believed_although_proxies_are() -> None:
    assert head(("x-forwarded-for", "1.1.1.1"), trusted=PROXIES).address == "203.0.113.7"


def test_headers_of_the_connection_are_dropped() -> None:
    incoming = head(
        ("connection", "keep-alive, X-Secret-Hop, Authorization"),
        ("x-secret-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
        ("proxy-authorization", "Basic eDp5"),
        ("authorization", "Bearer t"),
    )
    names = {name for name, _ in incoming.headers}
    assert names == {
        "authorization",
        "x-request-id",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
    }
    assert incoming.has_body


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-1.2_Z", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("é", False)],
)
def test_a_request_id_is_kept_only_in_its_shape(sent: str, kept: bool) -> None:
    assert (head(("x-request-id", sent)).request_id == sent) is kept


def test_two_request_ids_are_none() -> None:
    assert head(("x-request-id", "a"), ("x-request-id", "b")).request_id not in ("a", "b")


@pytest.mark.parametrize("host", ["", "a b", 'a"b', "a/b", "a, b", "user@host"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(BadRequestError):
        head(headers=[(b"host", host.encode())])


def test_two_hosts_are_refused() -> None:
    with pytest.raises(BadRequestError):
        head(("host", "other.example"))


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(BadRequestError):
        head(("x-note", "\xff"))


def test_an_address_of_version_6_is_quoted() -> None:
    forwarded = dict(head(client="2001:db8::1").headers)["forwarded"]
    assert forwarded.startswith('for="[2001:db8::1]";')
