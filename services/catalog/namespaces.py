"""Namespaces of databases: one spelling for each, and datasets of OpenLineage taken apart."""

import ipaddress
from urllib.parse import urlsplit

SCHEMES = {"postgresql": "postgres", "postgres": "postgres", "oracle": "oracle"}
DEFAULT_PORTS = {"postgres": 5432, "oracle": 1521}
LOOPBACK = "localhost"


def canonical(namespace: str) -> str:
    """The one spelling of a namespace: for PostgreSQL and Oracle `scheme://host:port/database`.

    The host in small letters, every name of the own machine `localhost`, the port always there, no
    user and no password. Other namespaces stay as they are.
    """
    scheme = SCHEMES.get(namespace.partition("://")[0].lower())
    if scheme is None:
        return namespace
    try:
        parts = urlsplit(namespace)
        host, port = parts.hostname, parts.port
    except ValueError:
        return namespace
    if not host:
        return namespace
    database = parts.path.strip("/")
    where = f"{scheme}://{_host(host)}:{port or DEFAULT_PORTS[scheme]}"
    return f"{where}/{database}" if database else where


def of_dataset(namespace: str, name: str) -> tuple[str, str | None, str]:
    """Namespace, schema and name of a dataset as OpenLineage names it.

    `postgres://host:port` with `database.schema.table` is the table of that database; a name of
    another system is kept whole, without a schema.
    """
    known = canonical(namespace)
    if SCHEMES.get(known.partition("://")[0]) is None:
        return known, None, name
    parts = name.split(".")
    has_database = "/" in known.partition("://")[2]
    if len(parts) == 3 and not has_database:
        return f"{known}/{parts[0]}", parts[1], parts[2]
    if len(parts) == 3 and parts[0] == known.rpartition("/")[2]:
        return known, parts[1], parts[2]
    if len(parts) == 2:
        return known, parts[0], parts[1]
    return known, None, name


def _host(host: str) -> str:
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_loopback:
        return LOOPBACK
    return f"[{address}]" if address.version == 6 else str(address)
