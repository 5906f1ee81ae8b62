"""A shop's database for the guides to read: a PostgreSQL server of its own on 127.0.0.1.

    python -m demo.webshop                     # runs until Ctrl-C or SIGTERM, and leaves nothing
    python -m demo.webshop "UPDATE orders …"   # runs statements in it, as the shop's programs do

The role `webreader` (password `reader-password`) may read the tables `products` and `orders`.
"""

import argparse
import asyncio
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from types import FrameType

import asyncpg

from deploy.local.postgresql import Cluster, ClusterError, prepare

PORT = 5433
DATABASE = "webshop"
LOG_INS = {"webreader": "reader-password", "clerk": "clerk-password"}
TABLES = """
CREATE TABLE products (sku text PRIMARY KEY, name text, price numeric(8, 2));
INSERT INTO products VALUES ('p1', 'pen', 1.20), ('p2', 'pad', 3.50), ('p3', 'pin', 0.10);
CREATE TABLE orders (number text PRIMARY KEY, total numeric(8, 2),
  updated_at timestamptz DEFAULT now());
INSERT INTO orders VALUES ('o1', 19.90, '2026-01-05 09:00Z'), ('o2', 5.00, '2026-01-05 10:00Z');
GRANT SELECT ON products, orders TO webreader;
GRANT SELECT, INSERT, UPDATE ON orders TO clerk;
"""


def main() -> None:
    """Run the server, or statements in it."""
    parser = argparse.ArgumentParser(prog="python -m demo.webshop", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT} by default")
    parser.add_argument("statements", nargs="*", metavar="SQL")
    given = parser.parse_args()
    try:
        if given.statements:
            asyncio.run(_change(given.port, given.statements))
        else:
            _serve(given.port)
    except (ClusterError, asyncpg.PostgresError, OSError) as exc:
        sys.exit(f"webshop: {exc}")


def _serve(port: int) -> None:
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, _end)
    with tempfile.TemporaryDirectory(prefix="tabularium-webshop-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's user goes through it
        cluster = prepare(folder, durable=False)
        cluster.port = _checked(port)
        try:
            cluster.initialise()
            cluster.start()
            asyncio.run(_fill(cluster))
            address = f"postgresql://webreader@127.0.0.1:{port}/{DATABASE}"
            sys.stdout.write(f"the shop's database is {address}\n")
            sys.stdout.flush()
            signal.pause()
        finally:
            cluster.stop()
            # As root it may lie outside the folder.
            shutil.rmtree(cluster.data.parent, ignore_errors=True)


def _checked(port: int) -> int:
    """The port; raises OSError where it cannot be listened on."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    return port


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


async def _fill(cluster: Cluster) -> None:
    connection = await asyncpg.connect(cluster.url())
    for role, password in LOG_INS.items():
        await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    await connection.execute(f"CREATE DATABASE {DATABASE}")
    await connection.close()
    connection = await asyncpg.connect(cluster.url(database=DATABASE))
    await connection.execute(TABLES)
    await connection.close()


async def _change(port: int, statements: list[str]) -> None:
    log_in = {"user": "clerk", "password": LOG_INS["clerk"], "database": DATABASE}
    connection = await asyncpg.connect(host="127.0.0.1", port=port, **log_in)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


if __name__ == "__main__":
    main()
