"""Which pages there are."""

from collections.abc import Callable, Mapping
from pathlib import Path

from reference.codes import problems_page, rejects_page
from reference.command_line import command_line_page
from reference.http import calls_page, imports_page, records_page, scopes_page
from reference.settings import settings_page
from reference.types import types_page

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"


PAGES: Mapping[str, Callable[[], str]] = {
    "calls.md": calls_page,
    "command-line.md": command_line_page,
    "import-options.md": imports_page,
    "problem-codes.md": problems_page,
    "records.md": records_page,
    "reject-codes.md": rejects_page,
    "scopes.md": scopes_page,
    "settings.md": settings_page,
    "types.md": types_page,
}
"""What writes each page, by its file name."""
