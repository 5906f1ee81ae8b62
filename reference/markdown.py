"""Markdown that reads well as it stands: headings, paragraphs and tables."""

import html
import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- Made by `make reference` out of the code; changes belong there. -->"


def page(title: str, *parts: str) -> str:
    """A page with its heading, its parts apart by an empty line."""
    return (
        "\n\n".join([NOTE, f"# {title}", *(part.strip() for part in parts if part.strip())]) + "\n"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars in its cells are kept from ending them."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: object) -> str:
    """Text in backticks; nothing stays nothing."""
    return f"`{text}`" if text not in ("", None) else ""


def plain(text: str | None) -> str:
    """A docstring or description as one paragraph of Markdown."""
    return re.sub(r"\s+", " ", (text or "").replace("``", "`")).strip()


def _cell(text: str) -> str:
    # A bar ends a cell even in backticks, and there no escape is read everywhere.
    whole = re.sub(r"`([^`]*\|[^`]*)`", _as_element, plain(text))
    return whole.replace("|", "\\|")


def _as_element(match: re.Match[str]) -> str:
    return f"<code>{html.escape(match[1]).replace('|', '&#124;')}</code>"
