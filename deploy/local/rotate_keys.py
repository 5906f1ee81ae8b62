"""`make rotate-keys`: put the next signing key into use on the running local stack."""

import json
import sys
from pathlib import Path

import httpx2

from deploy.local.__main__ import settings_given
from deploy.local.environment import ROOT


def main() -> None:
    """Sign in as the admin and rotate; exit 1 with one line when no stack runs."""
    state = Path(settings_given().get("STATE_DIR", ROOT / "var")).resolve()
    try:
        url = json.loads((state / "run.json").read_text())["url"]
        log_in = json.loads((state / "admin.json").read_text())
    except FileNotFoundError:
        sys.exit(f"tabularium: no stack runs from {state}; start it with `make up`")
    with httpx2.Client(base_url=url, trust_env=False) as http:
        tokens = http.post("/api/token/", json=log_in).raise_for_status().json()
        bearer = {"Authorization": f"Bearer {tokens['access']}"}
        answer = http.post("/api/auth/keys/rotate", headers=bearer).raise_for_status()
    print(json.dumps(answer.json() if answer.content else {"rotated": True}, indent=1))


if __name__ == "__main__":
    main()
