"""What every service stands on: contracts, errors, tokens, database, logging and the app factory.

Never here: business rules, a service's tables, anything with one user.
"""

from importlib.metadata import version

__version__ = version("tabularium")
"""The one version of the package, the API and the command line; it stands in `pyproject.toml`."""
