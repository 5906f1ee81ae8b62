"""The second file of a kind goes in as the first did: columns remember what it was called there."""

import pytest

from services.ingest.domain.options import ImportOptions, Mode, OnNewColumn
from services.ingest.domain.outcome import Outcome
from services.ingest.errors import UnknownColumnError
from tests.ingest.load.loading import Loader

CREATE = ImportOptions(create_table=True)
HEADER = ",id,Labels,Labels,2024 total (EUR)\n"
NDJSON = '{"id": 1, "Full name": "Ann"}\n'


def renamed(outcome: Outcome) -> dict[str | None, str]:
    return {note.source: note.column for note in outcome.inferred}


async def test_names_are_remembered_whatever_became_of_them(load: Loader) -> None:
    first = await load.load("t", f"{HEADER}0,7,a,b,1.50\n", options=CREATE)
    names = [column.column for column in first.inferred]
    assert names == ["column_1", "source_id", "Labels", "Labels_2", "c2024_total__EUR"]
    assert renamed(first)["id"] == "source_id"
    second = await load.load("t", f"{HEADER}1,8,c,d,2.50\n")
    assert renamed(second) == {
        "#1": "column_1",
        "id": "source_id",
        "Labels": "Labels_2",
        "2024 total (EUR)": "c2024_total__EUR",
    }
    assert all("remembers" in note.because for note in second.inferred)
    rows = await load.rows("t", 'column_1, source_id, "Labels", "Labels_2"')
    assert rows == [(0, 7, "a", "b"), (1, 8, "c", "d")]


async def test_a_mapping_at_the_first_load_is_remembered_too(load: Loader) -> None:
    options = ImportOptions(create_table=True, mapping={"Kd-Nr": "customer", "x": None})
    await load.load("t", "Kd-Nr,x\n1,a\n", options=options)
    ignoring = ImportOptions(on_new_column=OnNewColumn.IGNORE)
    second = await load.load("t", "x,Kd-Nr\nb,2\n", options=ignoring)
    assert renamed(second) == {"Kd-Nr": "customer", None: "x"}
    assert await load.rows("t", "customer") == [(1,), (2,)]


async def test_a_name_that_the_table_has_comes_before_one_that_it_remembers(load: Loader) -> None:
    options = ImportOptions(create_table=True, mapping={"a": "b", "c": "a"})
    await load.load("t", "a,c\n1,2\n", options=options)
    second = await load.load("t", "a,b\n3,4\n")
    assert not second.inferred
    assert await load.rows("t", "a, b") == [(2, 1), (3, 4)]
    third = await load.load("t", "b,c\n6,5\n")
    assert [note.column for note in third.inferred] == ["a"]
    assert await load.rows("t", "a, b") == [(2, 1), (3, 4), (5, 6)]
    with pytest.raises(UnknownColumnError):
        await load.load("t", "a,c\n1,2\n")


async def test_keys_of_json_that_come_late(load: Loader) -> None:
    await load.load("t", NDJSON, file_name="a.ndjson", options=CREATE)
    rows = '{"id": 2}\n' * 100_000 + '{"id": 3, "Full name": "Bob"}\n'
    second = await load.load("t", rows, file_name="a.ndjson")
    assert renamed(second) == {"id": "source_id", "Full name": "Full_name"}
    assert (await load.rows("t", '"Full_name"'))[-1] == ("Bob",)


async def test_words_for_null_are_remembered(load: Loader) -> None:
    await load.load("t", "n,day,note\n1.5,2024-01-01,NA\nNA,N/A,x\n", options=CREATE)
    second = await load.load("t", "n,day,note\nNA,2024-01-02,NA\n2,N/A,N/A\n")
    assert (second.rows.loaded, second.rows.rejected) == (2, 0)
    assert second.format is not None
    assert set(second.format.null_values) == {"NA", "N/A"}
    assert (await load.rows("t", "n, day::text, note"))[2:] == [
        (None, "2024-01-02", "NA"),
        (2, None, "N/A"),
    ]
    other = await load.load("t", "n,day,note\nNULL,2024-01-02,x\n3,2024-01-02,x\n")
    assert (other.rows.loaded, other.rows.rejected) == (1, 1)


async def test_an_upsert_and_its_rehearsal_follow_the_names_too(load: Loader) -> None:
    await load.load("t", "Kd Nr,v\n1,a\n", options=CREATE)
    await load.owner.execute('ALTER TABLE data.t ADD UNIQUE ("Kd_Nr")')
    for dry_run in (True, False):
        options = ImportOptions(mode=Mode.UPSERT, key=("Kd_Nr",), dry_run=dry_run)
        outcome = await load.load("t", "Kd Nr,v\n1,b\n2,c\n", options=options)
        assert (outcome.rows.updated, outcome.rows.inserted) == (1, 1)
    assert await load.rows("t", '"Kd_Nr", v') == [(1, "b"), (2, "c")]
