"""`make bench`: every benchmark in turn, one at a time; each writes its own results file.

`python -m bench import_csv gateway_proxy` runs only those.
"""

import subprocess
import sys
from pathlib import Path

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
    failed = []
    for name in chosen:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False)
        if done.returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
