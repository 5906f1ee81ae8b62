"""`python -m gateway`: one gateway process on HOST and PORT."""

import gc
import sys

from pydantic import ValidationError

from gateway.main import gateway_from_environment
from gateway.server import server_for


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 when the settings do not hold."""
    try:
        app = gateway_from_environment()
    except ValidationError as exc:
        reasons = {str(error["loc"][0]).upper(): error["msg"] for error in exc.errors()}
        sys.stderr.writelines(f"{name}: {reason}\n" for name, reason in reasons.items())
        return 2
    server = server_for(app)
    # What was made until here lives as long as the process: the collector need not look at it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
    server.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
