"""The command line: every command with its arguments and options."""

from collections.abc import Iterator
from typing import Any

import typer.main

from cli.main import app
from reference.markdown import code, page, plain, table


def command_line_page() -> str:
    """What `--help` says, command by command."""
    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name="tabularium")
    parts = [part for command in _commands(root, context) for part in command]
    return page(
        "Command line",
        "`tabularium COMMAND --help` says the same. Exit status: 0 done, 1 failed, 2 typed wrong,"
        " 3 an import rejected some rows, 130 Ctrl-C.",
        *parts,
    )


def _commands(command: Any, context: Any) -> Iterator[list[str]]:
    if command.hidden:
        return
    if hasattr(command, "commands"):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            yield from _commands(child, child.context_class(child, parent=context, info_name=name))
        return
    yield [
        f"## {context.command_path}",
        plain(command.help),
        table(["argument or option", "meaning"], _parameters(command)),
    ]


def _parameters(command: Any) -> list[list[str]]:
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            name = code(parameter.metavar or parameter.name.upper())
        else:
            name = ", ".join(code(each) for each in (*parameter.opts, *parameter.secondary_opts))
            choices = getattr(parameter.type, "choices", None)
            if choices:
                name += f" {code('|'.join(map(str, choices)))}"
        rows.append([name, plain(getattr(parameter, "help", None))])
    return rows
