"""`tabularium lineage` and `tabularium search`: where a table comes from, and what there is."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.answers import LineageAnswer, LineageNode, SearchHit
from cli.client import decoded
from cli.downloads import download
from cli.errors import UsageError
from cli.flattened import flattened
from cli.listing import Columns, show_items
from cli.screen import Branch
from cli.session import AsJson, Session, Url, View, session, viewing

LINEAGE_EXAMPLES = """Examples:

  tabularium lineage data.Customer --up
  tabularium lineage public.orders --column total --down
  tabularium lineage data.Customer -o lineage.svg"""
SEARCH_EXAMPLES = """Examples:

  tabularium search 'personal data'"""

HIT_COLUMNS: Columns[SearchHit] = {
    "kind": lambda hit: hit.kind,
    "name": lambda hit: hit.label,
    "database": lambda hit: hit.namespace,
    "tags": lambda hit: ", ".join(hit.tags),
    "description": lambda hit: hit.description,
}
WAYS = {
    (True, False): "upstream",
    (False, True): "downstream",
    (False, False): "both",
    (True, True): "both",
}


def lineage(
    *,
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="The table: schema.table.")
    ] = None,
    etl: Annotated[str | None, typer.Option("--etl", help="Start at this ETL instead.")] = None,
    column: Annotated[str | None, typer.Option("--column", help="Walk by columns.")] = None,
    up: Annotated[bool, typer.Option("--up", help="Only what it is made of.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what is made of it.")] = False,
    depth: Annotated[int, typer.Option(min=1, max=50, help="Steps from table to table.")] = 5,
    namespace: Annotated[
        str | None, typer.Option("--namespace", help="The database, where more than one has it.")
    ] = None,
    lineage_format: Annotated[
        Literal["mermaid", "json", "svg"] | None,
        typer.Option("--format", help="Print this; with --output as the file's name ends."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write a file (.svg, .json, .mmd), or - for stdout."),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show what a table is made of, and what is made of it."""
    if (table is None) == (etl is None):
        raise UsageError("name a table, or an ETL by --etl")
    given = {"table": table, "etl": etl, "column": column, "namespace": namespace}
    params: dict[str, str | int] = {
        name: value for name, value in given.items() if value is not None
    }
    params |= {"direction": WAYS[up, down], "depth": depth}
    chosen: str | None = lineage_format or ("json" if as_json else None)
    if output is not None and chosen is None:
        chosen = {".svg": "svg", ".json": "json"}.get(output.suffix, "mermaid")
    with session(url, as_json=as_json) as here:
        if chosen is not None:
            download(here, "/api/catalog/lineage", output, params={**params, "format": chosen})
        else:
            answer = here.client.get("/api/catalog/lineage", params)
            _draw(here, LineageAnswer.model_validate(decoded(answer)))


@flattened
def search(
    *,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="What to search for.")],
    view: View,
) -> None:
    """Search tables, columns and ETLs by names, descriptions, tags and owners."""
    with viewing(view) as here:
        answer = here.client.get("/api/catalog/search", {"q": " ".join(words), "limit": 100})
        if here.screen.shape == "json" and view.picked is None:
            here.screen.raw(answer.text)
            return
        body = decoded(answer)
        show_items(here.screen, body["items"], SearchHit, HIT_COLUMNS, view=view)
        if body["truncated"]:
            here.screen.say("there are more; give more words")
        for peer in body["unavailable"]:
            here.screen.say(f"{peer} cannot be reached: tables made here are left out")


def _draw(here: Session, answer: LineageAnswer) -> None:
    nodes = {node.id: node for node in answer.nodes}
    before: dict[str, list[str]] = defaultdict(list)
    behind: dict[str, list[str]] = defaultdict(list)
    for edge in answer.edges:
        before[edge.target].append(edge.source)
        behind[edge.source].append(edge.target)
    root = nodes[answer.root]
    sides = []
    for title, sign, next_to in (("made of", -1, before), ("makes", 1, behind)):
        if any(node.distance * sign > 0 for node in answer.nodes):
            branches = list(_branches(root.id, next_to, nodes, seen={root.id}))
            sides.append(Branch(title, branches))
    here.screen.tree(Branch(root.label, sides))
    if not sides:
        here.screen.say("nothing is known of where it comes from or goes to")
    if answer.truncated:
        here.screen.say("only the nearest is shown; there is more")


def _branches(
    node_id: str, next_to: Mapping[str, list[str]], nodes: Mapping[str, LineageNode], seen: set[str]
) -> Iterator[Branch]:
    """What lies behind a node; what was shown already is named again without what is behind it."""
    for other in dict.fromkeys(next_to.get(node_id, ())):
        node = nodes[other]
        if other in seen:
            again = f"{node.label} (see above)" if next_to.get(other) else node.label
            yield Branch(again, [])
            continue
        seen.add(other)
        yield Branch(node.label, list(_branches(other, next_to, nodes, seen)))
