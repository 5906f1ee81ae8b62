"""`make bench`: every benchmark in turn, one at a time; each writes its own results file.

`python -m bench import_csv gateway_proxy` runs only those. SIGINT or SIGTERM ends the one that
runs as Ctrl-C would, waits until it has stopped what it started, and begins no other.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

FOLDER = Path(__file__).parent


def main() -> None:
    known = sorted(
        file.stem
        for file in FOLDER.glob("*_*.py")
        if not file.stem.startswith("_") and "def main(" in file.read_text()
    )
    chosen = sys.argv[1:] or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; known: {', '.join(known)}")
    failed = Runner().run(chosen)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


class Runner:
    """Runs benchmarks in processes of their own, and passes on that they are to end."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = False
        # With a handler here the child starts with SIGINT's default, even where a shell that put
        # us into the background has it ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def run(self, names: Sequence[str]) -> list[str]:
        """The names of those that failed; exits when told to stop."""
        failed = []
        for name in names:
            print(f"== {name}", flush=True)
            # Out of our group: what a terminal or `timeout` sends to all of it arrives once.
            self._running = subprocess.Popen(
                [sys.executable, "-m", f"bench.{name}"], start_new_session=True
            )
            if self._running.wait():
                failed.append(name)
            if self._stopped:
                sys.exit(f"stopped in {name}")
        return failed

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True
        if self._running is not None:
            self._running.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
