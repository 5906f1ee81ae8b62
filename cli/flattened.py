"""Options that commands share: a dataclass of them is one parameter of each command."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def flattened(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer reads it: a dataclass among its parameters becomes its fields.

    A field has the option as its annotation and, unless the option must be given, a default.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {
        name: group
        for name, group in hints.items()
        if name != "return" and isinstance(group, type) and is_dataclass(group)
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            parameters += inspect.signature(groups[name]).parameters.values()
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def flat(**given: Any) -> None:
        for name, group in groups.items():
            own = {field.name: given.pop(field.name) for field in fields(group) if field.init}
            given[name] = group(**own)
        command(**given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    flat.__annotations__ = {"return": None}
    for group in groups.values():
        flat.__annotations__ |= get_type_hints(group.__init__, include_extras=True)
    flat.__annotations__ |= {name: hint for name, hint in hints.items() if name not in groups}
    flat.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            each.replace(kind=keyword, annotation=flat.__annotations__[each.name])
            for each in parameters
        ]
    )
    return flat
