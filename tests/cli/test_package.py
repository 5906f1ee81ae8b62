"""The command line can be installed without the server: its package names all that it imports."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import Any

from deploy.local.environment import ROOT
from tests.support.profile import only_in_full

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT or name in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

ABSENT = set(sys.argv.pop().split())
sys.meta_path.insert(0, Absent())
from cli.main import main
main()
"""
"""The command in an environment that lacks some packages."""


def project(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def with_their_own(requirements: list[str]) -> set[str]:
    """The packages that are required, and those that they require."""
    names: set[str] = set()
    left = [each for each in requirements if "extra ==" not in each]
    while left:
        name = name_of(left.pop())
        if name in names:
            continue
        names.add(name)
        try:
            left += [each for each in requires(name) or () if "extra ==" not in each]
        except PackageNotFoundError:  # one for another platform
            continue
    return names


def absent() -> set[str]:
    """What is installed or lies here, but does not come with the client."""
    client = project("cli/pyproject.toml")
    allowed = with_their_own(client["project"]["dependencies"])
    others = {
        package
        for package, owners in packages_distributions().items()
        if not {name_of(owner) for owner in owners} & {*allowed, "tabularium"}
    }
    brought = client["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"].values()
    rooms = {f"shared.{path.stem}" for path in (ROOT / "shared").iterdir()}
    rooms -= {name.removesuffix(".py").replace("/", ".") for name in brought}
    return others | rooms | {"services", "gateway", "deploy", "demo", "migrations", "bench"}


@only_in_full
def test_the_command_runs_without_the_server_and_its_packages() -> None:
    lacking = absent()
    assert {"polars", "fastapi", "sqlalchemy", "shared.http", "shared.store"} <= lacking
    for words in (["--version"], ["import", "--help"], ["tables", "alter", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, *words, " ".join(lacking)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_both_packages_have_one_version_and_one_command() -> None:
    client, server = (project(path)["project"] for path in ("cli/pyproject.toml", "pyproject.toml"))
    assert client["version"] == server["version"]
    assert client["scripts"]["tabularium"] == server["scripts"]["tabularium"]
    assert client["requires-python"] == server["requires-python"]
    of_server = set(map(name_of, server["dependencies"]))
    assert set(map(name_of, client["dependencies"])) - of_server <= {"pydantic"}
