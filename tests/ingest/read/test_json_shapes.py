"""Where the records of a JSON file are, and how they stand there."""

import json

import pytest

from services.ingest.errors import OptionError
from services.ingest.read.errors import DamagedFileError, RecordPathNeededError
from tests.ingest.plan.test_columns import table
from tests.ingest.read.reading import Read, read

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def cells(found: Read) -> list[tuple[str | None, ...]]:
    assert found.names == ["a", "b"]
    assert found.refused == []
    return found.cells


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["x.json", "x.txt"])
async def test_records_in_a_document(indent: int | None, name: str) -> None:
    for document, path in (
        ({"meta": {"n": [1, 2]}, "data": {"items": ROWS, "next": None}, "z": "]"}, "data.items"),
        ({"rows": ROWS}, "rows"),
        ({"type": "x", "list": [{**row, "tags": [{"t": 1}]} for row in ROWS]}, "list"),
    ):
        found = await read(
            json.dumps(document, indent=indent), file_name=name, mapping={"tags": None}
        )
        assert found.format.record_path == path
        assert [row[:2] for row in found.cells] == [("1", "x"), ("2", "y")]
        assert list(found.rows) == [1, 2]


async def test_a_member_may_be_nameless() -> None:
    for text in ('[{"": 1, "b": "x"}]', '[{"": 1, "b": "x"}, {"": 2, "b": "é\\u0000"}]'):
        found = await read(text, file_name="x.json")
        assert found.names == ["", "b"]
        assert found.cells[0] == ("1", "x")


async def test_several_places_for_records_are_asked_about() -> None:
    text = json.dumps({"data": {"items": ROWS}, "errors": [{"e": 1}], "n": [1]})
    with pytest.raises(RecordPathNeededError, match=r"data\.items, errors") as refusal:
        await read(text, file_name="x.json")
    assert refusal.value.errors[0].field == "record_path"
    found = await read(text, file_name="x.json", record_path="data.items")
    assert cells(found) == [("1", "x"), ("2", "y")]
    with pytest.raises(OptionError, match=r"data\.items, errors, n"):
        await read(text, file_name="x.json", record_path="nowhere")


async def test_a_document_may_be_the_record() -> None:
    text = json.dumps({"a": 1, "b": "x"}, indent=1)
    assert cells(await read(text, file_name="x.json")) == [("1", "x")]
    nested = json.dumps({"a": 1, "b": "x", "tags": [{"t": 1}]}, indent=1)
    assert (await read(nested, file_name="x.json")).names == ["t"]
    assert (await read(nested, file_name="x.json", record_path=".")).names == ["a", "b", "tags"]
    assert (await read(json.dumps(json.loads(nested)), file_name="x.ndjson")).names == [
        "a", "b", "tags",
    ]  # fmt: skip


async def test_a_document_without_records_is_no_record() -> None:
    for text in ('{"count": 0, "next": null, "results": []}', '{"data": {"items": [ ]}}\n'):
        with pytest.raises(RecordPathNeededError, match=r"`\.`") as refusal:
            await read(text, file_name="x.json")
        assert refusal.value.errors[0].field == "record_path"
    text = '{"a": 1, "b": []}'
    assert (await read(text, file_name="x.json", record_path="b")).cells == []
    assert (await read(text, file_name="x.json", record_path=".")).names == ["a", "b"]
    assert (await read(text, file_name="x.ndjson")).names == ["a", "b"]


@pytest.mark.parametrize(
    "document",
    [
        {"error": "rate limit exceeded"},
        {"Error": {"code": 42, "text": "no"}, "success": False},
        {"type": "about:blank", "title": "Too many requests", "status": 429, "detail": "later"},
        {"message": "Not Found", "documentation_url": "https://example.org"} | {"status": "404"},
        {"status": "error", "message": "no key"},
        {"detail": "Not found."},
        {"errors": [{"message": "no such field", "path": ["a"]}], "data": None},
        {"timestamp": "2024-01-01T00:00:00Z", "status": 500, "error": "Internal", "path": "/x"},
    ],
)
@pytest.mark.parametrize("name", ["x.json", "x.ndjson", "rows"])
async def test_an_answer_that_something_failed_is_no_record(
    document: dict[str, object], name: str
) -> None:
    text = json.dumps(document)
    with pytest.raises(RecordPathNeededError, match=r"`record_path=\.`") as refusal:
        await read(text, file_name=name)
    assert refusal.value.errors[0].field == "record_path"
    assert (await read(text, file_name=name, record_path=".")).names == list(document)


@pytest.mark.parametrize(
    "document",
    [
        {"error": None, "message": "all is well", "status": 200},
        {"level": "error", "message": "a line of a log"},
        {"error": "x", "name": "Ann"},
        {"code": 200, "title": "a book"},
        {"status": "open", "title": "a ticket"},
        {"title": "no state"},
    ],
)
async def test_a_record_may_have_such_members(document: dict[str, object]) -> None:
    assert len((await read(json.dumps(document), file_name="x.json")).rows) == 1


@pytest.mark.parametrize(
    "document",
    [
        {"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}},
        {"ann": {"age": 1}, "bob": {"age": 2}},
        {"a": [1, 2, 3], "b": [4, 5, 6]},
    ],
)
async def test_values_by_the_names_of_columns_or_rows_are_no_record(
    document: dict[str, object],
) -> None:
    for text in (json.dumps(document), json.dumps(document, indent=1)):
        with pytest.raises(RecordPathNeededError, match=r"`record_path=\.`"):
            await read(text, file_name="x.json")
        assert (await read(text, file_name="x.json", record_path=".")).names == list(document)
    lines = await read(json.dumps(document), file_name="x.ndjson")
    assert lines.names == list(document)


@pytest.mark.parametrize(
    "document", [{"a": {"b": 1}}, {"a": {"b": 1}, "c": {"d": 1}}, {"a": [1], "b": [2]}]
)
async def test_a_record_may_hold_objects_and_arrays(document: dict[str, object]) -> None:
    assert (await read(json.dumps(document), file_name="x.json")).names == list(document)


async def test_members_that_the_table_has_make_a_record() -> None:
    text = json.dumps({"error": "disk full", "code": 5})
    contract = table(code="", error="")
    assert (await read(text, file_name="x.json", contract=contract)).cells == [("disk full", "5")]
    lines = f"{text}\n{text}\n"
    assert len((await read(lines, file_name="x.json")).rows) == 2


@pytest.mark.parametrize("block", [7, 1 << 20])
async def test_values_one_behind_the_other(block: int) -> None:
    spread = "\n".join(json.dumps(row, indent=2) for row in ROWS)
    joined = "".join(json.dumps(row) for row in ROWS)
    for text in (spread, "\ufeff" + spread + "\n", joined, joined + "\n"):
        block_bytes = max(block, len(text) - 1) if text.startswith("{\n") else block
        found = await read(text, file_name="x.json", block=block_bytes)
        assert cells(found) == [("1", "x"), ("2", "y")]


async def test_several_values_on_a_line_are_counted() -> None:
    first, second = (json.dumps(row) for row in ROWS)
    text = f"{first} {second}\n\n{first}{second}\n"
    found = await read(text, file_name="x.ndjson")
    assert (cells(found), list(found.rows)) == ([("1", "x"), ("2", "y")] * 2, [1, 2, 3, 4])
    # Behind the head they begin the reading again.
    found = await read(f"{first}\n" * 50 + text, file_name="x.ndjson", block=64, chunk=16)
    assert list(found.rows) == list(range(1, 55))
    commas = await read(f"{first},\n{second},\n", file_name="x.ndjson")
    assert cells(commas) == [("1", "x"), ("2", "y")]


@pytest.mark.parametrize("kind", ["array", "lines", "document"])
async def test_arrays_of_arrays_with_a_header(kind: str) -> None:
    rows = [["a", "b"], [1, "x"], [2, None], [3], [4, {"n": 1}]]
    if kind == "lines":
        text = "\n".join(json.dumps(row) for row in rows)
    else:
        text = json.dumps(rows if kind == "array" else {"range": "A1", "values": rows})
    found = await read(text, file_name="x.json")
    assert found.rows == {2: ("1", "x"), 3: ("2", None), 5: ("4", '{"n": 1}')}
    assert found.refused == [(4, "too_few_fields")]
    assert found.format.header_line == 1
    bare = await read(text, file_name="x.json", header_line="none")
    assert (bare.names, bare.rows[1]) == (["column_1", "column_2"], ("a", "b"))


@pytest.mark.parametrize("text", ['{\n"a": 1,\n', '{\n"a": 1}\nx', "{\n" + '"a":{' * 5_000])
async def test_a_broken_document_is_refused(text: str) -> None:
    with pytest.raises(DamagedFileError):
        await read(text, file_name="x.json")
