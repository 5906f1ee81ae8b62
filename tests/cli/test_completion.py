"""What a shell is offered behind the Tab key."""

from tests.cli.conftest import Command


def completed(command: Command, *words: str) -> list[str]:
    settings = {
        "_TABULARIUM_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("tabularium", *words)),
        "COMP_CWORD": str(len(words)),
    }
    return command(settings=settings).out.split()


def test_commands_tables_and_columns_are_completed(command: Command, stranger: Command) -> None:
    command("tables", "create", "Tabbed", "name:TEXT", "number:INTEGER")
    assert "records" in completed(command, "rec")
    assert completed(command, "records", "Tab") == ["Tabbed"]
    assert completed(command, "update", "Tabbed", "7", "n") == ["name=", "number="]
    assert completed(stranger, "records", "Tab") == []
    command("tables", "drop", "Tabbed", "-y")
