"""Lists, as every `list` command shows them: a table for people, CSV or JSON for programs."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cli.client import Parameters
from cli.errors import UsageError
from cli.screen import Screen
from cli.session import Session, View
from shared.contracts.base import AnswerModel
from shared.values.nearest import did_you_mean

Model = TypeVar("Model", bound=AnswerModel)
Columns = Mapping[str, Callable[[Model], object]]
"""What stands in each column of the table, by its heading."""
Item = dict[str, Any]


def listing(
    here: Session,
    path: str,
    model: type[Model],
    columns: Columns[Model],
    *,
    view: View,
    params: Parameters | None = None,
) -> None:
    """Show every item of a list, page after page."""
    show_items(here.screen, here.client.items(path, params), model, columns, view=view)


def show_items(
    screen: Screen,
    items: Iterable[Item],
    model: type[Model],
    columns: Columns[Model],
    *,
    view: View,
) -> None:
    """Show items in the shape and the columns that were asked for."""
    picked = view.picked
    if screen.as_json:
        _as_json(screen, items if picked is None else _with_fields(items, picked))
        return
    kept = list(items)
    headings = list(columns) if picked is None else picked
    if kept:
        _must_be_there(headings, columns, kept[0])
    values = [_reader(name, model, columns) for name in headings]
    screen.rows(headings, ([value_of(item) for value_of in values] for item in kept))


def removed(here: Session, path: str, name: object, said: str) -> None:
    """Remove what stands under a path, and say so."""
    here.client.send("DELETE", path)
    if here.screen.as_json:
        here.screen.document({"removed": name})
    here.screen.say(said)


def all_items(screen: Screen, items: list[Item]) -> None:
    """Print a list that was read to its end, in the shape in which the API gives one."""
    screen.document({"items": items, "next": None})


def _as_json(screen: Screen, items: Iterable[Item]) -> None:
    if screen.shape == "json":
        all_items(screen, list(items))
        return
    for item in items:
        screen.document(item)


def _with_fields(items: Iterable[Item], names: Sequence[str]) -> Iterator[Item]:
    rest = iter(items)
    for first in rest:
        _must_be_there(names, (), first)
        for item in itertools.chain([first], rest):
            yield {name: _field(item, name) for name in names}


def _reader(name: str, model: type[Model], columns: Columns[Model]) -> Callable[[Item], object]:
    """The value of a column: by the table's heading, else by the path of the API's field."""
    if name in columns:
        return lambda item: columns[name](model.model_validate(item))
    return lambda item: _field(item, name)


def _must_be_there(names: Iterable[str], headings: Iterable[str], item: Item) -> None:
    """Raise UsageError for what is neither a heading nor a field of the list's first item."""
    known = [*headings, *_field_names(item)]
    for name in names:
        if name not in known and not _may_be_in(item, name):
            shown = dict.fromkeys([*headings, *item])
            raise UsageError(
                f"--columns: there is no column {name!r}{did_you_mean(name, known)}"
                f" (there are {', '.join(shown)})"
            )


def _may_be_in(item: Item, path: str) -> bool:
    """Whether an object that is null here is on the way to the field."""
    before, dot, _ = path.rpartition(".")
    if not dot:
        return False
    is_null = before in _field_names(item) and _field(item, before) is None
    return is_null or _may_be_in(item, before)


def _field_names(item: Item, before: str = "") -> Iterator[str]:
    for name, value in item.items():
        yield f"{before}{name}"
        if isinstance(value, dict):
            yield from _field_names(value, f"{before}{name}.")


def _field(item: Item, path: str) -> object:
    """A field; null where an object on the way to it is null."""
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
