"""The blocks of our documents that a reader runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.local.environment import ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A command, and what it must print (None: anything)."""

    line: int
    command: str
    output: str | None


def steps(document: str, section: str | None = None) -> list[Step]:
    """The `sh` blocks of a document, or of one section, each with what is shown behind it."""
    text = (ROOT / document).read_text()
    start, end = (0, len(text)) if section is None else _bounds(text, section)
    found: list[Step] = []
    for match in BLOCK.finditer(text, start, end):
        kind, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if kind == "sh":
            found.append(Step(line, body, None))
        elif kind in ("json", "csv", "text") and found and found[-1].output is None:
            found[-1] = Step(found[-1].line, found[-1].command, body)
    assert found or section is None, f"{document} has no commands under {section!r}"
    return found


MARK = "=== step"


def pasted(document: Sequence[Step]) -> str:
    """All commands as one script, which prints a line with a step's exit code behind its output."""
    return "".join(
        f"{step.command.rstrip()}\nprintf '\\n{MARK} %d: %d\\n' {number} $?\n"
        for number, step in enumerate(document)
    )


def outputs(printed: str) -> list[tuple[int, str]]:
    """The exit code of each step that was run, and what it printed."""
    parts = re.split(rf"^{MARK} \d+: (\d+)\n", printed, flags=re.MULTILINE)
    return [(int(code), text) for text, code in zip(parts[::2], parts[1::2], strict=False)]


def pattern(output: str) -> re.Pattern[str]:
    """What is printed where a document shows `output`, in which `…` stands for anything."""
    lines = "\n".join(line.rstrip() for line in output.strip().splitlines())
    parts = [re.escape(part.strip(" ")) for part in lines.split("…")]
    return re.compile(r"\s*.*?\s*".join(parts), re.DOTALL)


def _bounds(text: str, section: str) -> tuple[int, int]:
    headings = [*HEADING.finditer(text)]
    for heading, after in zip(headings, [*headings[1:], None], strict=True):
        if heading.group(1) == section:
            return heading.end(), len(text) if after is None else after.start()
    raise AssertionError(f"there is no section {section!r}")
