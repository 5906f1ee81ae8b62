"""Lists, as every `list` command shows them: a table for people, one JSON document for scripts."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from cli.client import Parameters
from cli.screen import Screen
from cli.session import Session
from shared.contracts.base import AnswerModel

Model = TypeVar("Model", bound=AnswerModel)
Columns = Mapping[str, Callable[[Model], object]]
"""What stands in each column of the table, by its heading."""


def listing(
    here: Session,
    path: str,
    model: type[Model],
    columns: Columns[Model],
    *,
    params: Parameters | None = None,
) -> None:
    """Show every item of a list, page after page."""
    items = list(here.client.items(path, params))
    if here.screen.as_json:
        all_items(here.screen, items)
        return
    as_table(here.screen, columns, (model.model_validate(item) for item in items))


def removed(here: Session, path: str, name: object, said: str) -> None:
    """Remove what stands under a path, and say so."""
    here.client.send("DELETE", path)
    if here.screen.as_json:
        here.screen.document({"removed": name})
    here.screen.say(said)


def as_table(screen: Screen, columns: Columns[Model], items: Iterable[Model]) -> None:
    """Show items as a table."""
    rows = [[value_of(item) for value_of in columns.values()] for item in items]
    screen.table(list(columns), rows)


def all_items(screen: Screen, items: list[dict[str, Any]]) -> None:
    """Print a list that was read to its end, in the shape in which the API gives one."""
    screen.document({"items": items, "next": None})
