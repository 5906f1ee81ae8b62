"""What every service stands on: contracts, errors, tokens, database, logging and the app factory.

Never here: business rules, a service's tables, anything with one user.
"""

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("tabularium")
    except PackageNotFoundError:  # the command line was installed alone
        return version("tabularium-cli")


__version__ = _version()
"""The one version of the packages, the API and the command line, as in `pyproject.toml`."""
