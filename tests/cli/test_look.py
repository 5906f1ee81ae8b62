"""A look before a file lands, and uploads that go on where they were broken off."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.relay import relay_to
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

MIB = 1 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of more than two pieces."""
    file = tmp_path / "large.csv"
    file.write_bytes(b"name,note\n" + b"".join(b"p%d,%s\n" % (n, b"x" * MIB) for n in range(20)))
    return file


def test_an_import_asks_before_it_lands(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Full name;age\nAnn;30\nBob;old\n")
    words = ("import", str(file), "-t", "LookedAt", "--create-table", "--look")
    done = command(*words, typed="n\n", code=1)
    assert "Full_name ← Full name" in done.out
    assert "nothing was imported" in done.err
    assert command("imports", "list", "--table", "LookedAt", "--json").json["items"] == []
    assert "2 rows" in command(*words, typed="y\n").out
    assert command("records", "LookedAt", "--json").json["items"][0]["Full_name"] == "Ann"


def test_a_script_cannot_be_asked(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("a\n1\n")
    for words in ((str(file), "--json"), ("-",)):
        assert "--look" in command("import", *words, "-t", "x", "--look", code=2).err


@only_in_full
def test_an_upload_goes_on_where_its_connection_broke(
    command: Command, stack: RunningStack, large: Path, tmp_path: Path
) -> None:
    with relay_to(command.url) as relay:
        through = Command(url=relay.url, home=tmp_path)
        through.sign_in(stack)
        relay.cut_after_bytes = 11 * MIB
        words = ("import", str(large), "-t", "Resumed", "--create-table", "--look")
        assert "20 rows" in through(*words, typed="y\n").out
        first, second, *later = relay.patched_offsets
    assert (first, second) == (0, 8 * MIB)
    # What came before the break is not sent again.
    assert 8 * MIB < later[0] < 16 * MIB
    assert later == sorted(later)


@only_in_full
def test_the_same_command_goes_on_with_an_upload_that_was_interrupted(
    command: Command, stack: RunningStack, large: Path, tmp_path: Path
) -> None:
    words = ("import", str(large), "-t", "Interrupted", "--create-table", "--look")
    with relay_to(command.url) as relay:
        through = Command(url=relay.url, home=tmp_path)
        through.sign_in(stack)
        relay.hold_uploads_from_bytes = 10 * MIB
        started = through.start(*words)
        assert relay.held.wait(60)
        started.interrupt()
        done = started.end()
        assert done.code == 130
        assert "goes on with it" in done.err
        relay.hold_uploads_from_bytes = 0
        relay.patched_offsets.clear()
        assert "20 rows" in through(*words, typed="y\n").out
        assert relay.patched_offsets[0] >= 8 * MIB
