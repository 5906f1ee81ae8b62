"""What is typed, and what is told: the rules without a server."""

from decimal import Decimal
from pathlib import Path

import pytest

from cli.credentials import CredentialStore, LogIn
from cli.errors import CommandError, UsageError, one_line
from cli.exact import exact_json
from cli.options import DatabaseAddress, filters_of, mapping_of, source_address, types_of
from cli.screen import Screen, plural
from shared.contracts.problem import FieldError, ProblemDocument


def problem(**fields: object) -> ProblemDocument:
    whole = {"type": "t", "title": "Bad", "status": 422, "detail": "d", "code": "c", **fields}
    return ProblemDocument.model_validate(whole)


def test_a_problem_is_one_line() -> None:
    assert one_line(problem(detail="it is\nso")) == "it is so"
    errors = [
        FieldError(field="fields.age", code="x", message="no type"),
        FieldError(field="", code="y", message="and more"),
    ]
    assert one_line(problem(errors=errors)) == "Bad: fields.age: no type; and more"
    assert one_line(problem(status=500, request_id="r1")) == "d (request id r1)"


def test_mappings_are_put_together() -> None:
    assert mapping_of(["Full name=name", "x="], '{"a": "b", "c": null}') == {
        "a": "b",
        "c": None,
        "Full name": "name",
        "x": None,
    }
    assert mapping_of(["a=b=c"], None) == {"a=b": "c"}
    for wrong in ("name", "=name"):
        with pytest.raises(UsageError):
            mapping_of([wrong], None)
    with pytest.raises(UsageError, match="object"):
        mapping_of([], '["a"]')


def test_types_of_columns() -> None:
    assert types_of(["zip=TEXT", "a=b=NUMERIC(5,2)"]) == {"zip": "TEXT", "a=b": "NUMERIC(5,2)"}
    for wrong in ("zip", "=TEXT", "zip="):
        with pytest.raises(UsageError):
            types_of([wrong])


def test_filters_are_columns_whatever_their_name() -> None:
    assert filters_of(["age__gte=18", "limit=3", "name=a=b", "note="]) == [
        ("age__gte", "18"),
        ("limit__eq", "3"),
        ("name", "a=b"),
        ("note", ""),
    ]


def test_addresses_of_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABULARIUM_SOURCE_PASSWORD", raising=False)
    found = DatabaseAddress.parsed("postgresql://ann%40x:p%2Fw@db.example.com/shop")
    assert found.fields == {
        "kind": "postgresql",
        "host": "db.example.com",
        "port": 5432,
        "user": "ann@x",
        "database": "shop",
    }
    assert found.password == "p/w"
    monkeypatch.setenv("TABULARIUM_SOURCE_PASSWORD", "from outside")
    oracle = DatabaseAddress.parsed("oracle://scott@ora:1522/XEPDB1")
    assert oracle.password == "from outside"
    assert oracle.fields["service_name"] == "XEPDB1"
    assert oracle.fields["port"] == 1522
    assert DatabaseAddress.parsed("oracle://scott@ora?sid=XE").fields["sid"] == "XE"
    assert DatabaseAddress.parsed("7").source_id == 7


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("s3://AKIA@eu-west-1", {"user": "AKIA", "region": "eu-west-1"}),
        ("s3://a%2Fb@localhost:9000", {"user": "a/b", "host": "localhost", "port": 9000}),
        (
            "s3://k@minio.example.com?region=eu",
            {"user": "k", "host": "minio.example.com", "region": "eu"},
        ),
    ],
)
def test_an_address_of_s3_is_read(text: str, fields: dict[str, object]) -> None:
    assert source_address(text).fields == {"kind": "s3", **fields}


@pytest.mark.parametrize(
    "text", ["s3://eu-west-1", "s3://k@eu/bucket", "s3://k@eu?zone=a", "s3://k@h:x", "7"]
)
def test_what_is_no_address_of_a_source_says_so(text: str) -> None:
    with pytest.raises(UsageError):
        source_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "mysql://a@b/c",
        "postgresql://b/c",
        "postgresql://a@b",
        "postgresql://a@b:x/c",
        "postgresql://a@b/c?sslmode=require",
        "shop",
    ],
)
def test_what_is_no_address_says_so(text: str) -> None:
    with pytest.raises(UsageError, match="--from-database"):
        DatabaseAddress.parsed(text)


def test_log_ins_are_kept_per_server(tmp_path: Path) -> None:
    store = CredentialStore(tmp_path / "new")
    first, second = LogIn(access="a", expires_at=1), LogIn(access="b", expires_at=2)
    store.keep("http://one", first, as_default=True)
    store.keep("http://two", second)
    assert store.last_url == "http://one"
    assert store.find("http://two") == second
    store.forget("http://one")
    assert store.find("http://one") is None
    assert list((tmp_path / "new").glob("*.part")) == []


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    store = CredentialStore(tmp_path)
    store.file.write_text("{")
    with pytest.raises(CommandError, match="tabularium login"):
        store.find("http://one")


def test_plurals() -> None:
    assert (plural(1, "row"), plural(0, "row"), plural(1006, "row")) == (
        "1 row",
        "0 rows",
        "1,006 rows",
    )


def test_only_numbers_stand_to_the_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    Screen(shape="table").table(["column", "nullable", "rows"], [["name", True, 7]])
    heading, row = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert row.index("yes") == heading.index("nullable")
    assert row.index("7") + 1 == heading.index("rows") + len("rows")


def test_cells_in_a_pipe_are_whole_and_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 500
    rows: list[list[object]] = [
        [long, "a\tb\nc\\d"],
        [Decimal("1.50"), None],
        [True, {"n": Decimal("0.10")}],
    ]
    Screen(shape="table").table(["one", "two"], rows)
    assert capsys.readouterr().out.splitlines() == [
        "one\ttwo",
        f"{long}\ta\\tb\\nc\\\\d",
        "1.50\t",
        'true\t{"n": 0.10}',
    ]


def test_json_keeps_the_digits_of_numbers() -> None:
    value = {"a": [Decimal("12345678901234567.890"), None, True, "ü\n"], "b": {}}
    assert exact_json(value) == '{"a": [12345678901234567.890, null, true, "ü\\n"], "b": {}}'
