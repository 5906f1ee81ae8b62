"""How a benchmark writes what it measured: `bench/<name>.md`, one file for each."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent


def machine() -> str:
    """What the figures were measured on, as far as it matters."""
    return f"{os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()}"


class Section:
    """One benchmark's results as Markdown."""

    def __init__(self, name: str, title: str) -> None:
        self._file = FOLDER / f"{name}.md"
        self._lines = [f"# {title}", "", f"Measured on {datetime.now(UTC):%Y-%m-%d}.", ""]

    def say(self, paragraph: str) -> None:
        """Add a paragraph."""
        self._lines += [paragraph, ""]

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table."""
        self._lines += [
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        ]

    def write(self) -> None:
        """Keep the results, and show them."""
        text = "\n".join(self._lines).rstrip() + "\n"
        self._file.write_text(text)
        print(text)
