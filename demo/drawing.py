"""What a terminal showed as a picture: an SVG whose lines appear as they were printed."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

TYPED_S = 0.8
"""Between a command and what it prints."""
READ_S = 1.6
"""Until the next command, and as long again for every eight lines."""
LINES_READ = 8
UNIQUE_ID = "walk"
LINE = re.compile(rf'<(text|rect) ([^>]*clip-path="url\(#{UNIQUE_ID}-line-(\d+)\)")')


@dataclass(frozen=True)
class Scene:
    """A command, and what it printed, with the escape sequences of colours."""

    command: str
    output: str


def drawn(scenes: Sequence[Scene], *, columns: int, title: str) -> str:
    """The picture; who wants less motion sees all of it at once."""
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, highlight=False
    )
    starts: list[float] = []
    second = 0.4
    for scene in scenes:
        prompt = Text.assemble(("$ ", "green"), (scene.command, "bold"))
        output = Text.from_ansi(scene.output.rstrip("\n"))
        starts += [second] * _print(console, prompt)
        second += TYPED_S
        lines = _print(console, output) if output.plain else 0
        starts += [second] * lines
        second += READ_S * (1 + lines / LINES_READ)
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id=UNIQUE_ID)
    return _moving(svg, starts)


def _print(console: Console, text: Text) -> int:
    """Print, and return how many lines it took."""
    lines = text.wrap(console, console.width, overflow="fold")
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=False, overflow="fold")
    return len(lines)


def _moving(svg: str, starts: Sequence[float]) -> str:
    """Give each line the moment at which it appears."""
    moments = sorted(set(starts))
    classes = {moment: f"m{place}" for place, moment in enumerate(moments)}

    def timed(match: re.Match[str]) -> str:
        name, attributes, line = match.groups()
        moment = starts[min(int(line), len(starts) - 1)]
        return f'<g class="{classes[moment]}"><{name} {attributes}'

    # Each of Rich's elements is on one line of its own and ends as <text …>…</text> or <rect …/>.
    svg = re.sub(
        rf'<(?:text|rect) [^>]*clip-path="url\(#{UNIQUE_ID}-line-\d+\)"[^>]*(?:/>|>[^<]*</text>)',
        lambda element: f"{LINE.sub(timed, element[0])}</g>",
        svg,
    )
    rules = "".join(f"g.{classes[m]}{{animation-delay:{m:.1f}s}}" for m in moments)
    style = (
        "@keyframes appear{from{opacity:0}}"
        f"g[class^=m]{{animation:appear .01s both}}{rules}"
        "@media (prefers-reduced-motion){g[class^=m]{animation:none}}"
    )
    # Rich asks a font of another server, which a picture in a document has no need of.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    return svg.replace("</style>", f"{style}</style>", 1)
