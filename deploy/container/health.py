"""`python -m deploy.container.health`: exit 0 if this container's process is well.

It is asked for `/readyz` on its own port; the reason is on stdout, for `docker inspect`. Standard
library only: it runs every few seconds in each container. A worker has no port, see
`worker_health`.
"""

import http.client
import os
import sys

TIMEOUT_S = 4.0


def main() -> int:
    """0 is well, 1 is not."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=TIMEOUT_S
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except OSError as exc:
        sys.stdout.write(f"{type(exc).__name__}: {exc}\n")
        return 1
    finally:
        connection.close()
    if answer.status != 200:
        sys.stdout.write(f"/readyz answered {answer.status}: {body[:500]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
