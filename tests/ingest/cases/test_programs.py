"""Files as named programs write them: each column's type and every cell, as a person reads them."""

import io
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Outcome
from services.ingest.errors import (
    DuplicateColumnError,
    EmptyFileError,
    FileRefusedError,
    NoRowFitsError,
)
from services.ingest.read.errors import HeaderDoubtfulError, WrongFileKindError
from tests.ingest.load.loading import Loader, columns

CREATE = ImportOptions(create_table=True)
RULE = "-" * 24 + "\n"
Cells = list[tuple[str | None, ...]]


async def made(
    load: Loader, data: str | bytes, file_name: str = "file.csv", **options: Any
) -> tuple[Outcome, str, Cells]:
    """What became of a file, its columns with their types, and the cells as texts."""
    await load.drop_tables()
    outcome = await load.load("t", data, options=replace(CREATE, **options), file_name=file_name)
    named = " ".join(f"{each.column}:{each.type.split()[0]}" for each in outcome.inferred)
    texts = ", ".join(f'"{each.column}"::text' for each in outcome.inferred)
    return outcome, named, await load.rows("t", texts)


READ: list[tuple[str, str | bytes, str, str, Cells]] = [
    (
        "a spreadsheet saved as CSV in Germany",
        "\ufeffKunde;Betrag;Datum;PLZ\r\nMüller;1.234,50;31.12.2024;01067\r\nBär;99,00;01.02.2024;1\r\n",
        "a.csv",
        "Kunde:TEXT Betrag:NUMERIC Datum:DATE PLZ:TEXT",
        [("Müller", "1234.50", "2024-12-31", "01067"), ("Bär", "99.00", "2024-02-01", "1")],
    ),
    (
        "groups beside decimals in another column",
        "Artikel;Menge;Preis\nA;1.000;2,50\nB;12;1.000\n",
        "a.csv",
        "Artikel:TEXT Menge:INTEGER Preis:NUMERIC",
        [("A", "1000", "2.50"), ("B", "12", "1000")],
    ),
    (
        "groups or decimals, which nothing decides",
        "Artikel;Menge\nA;1.000\nB;12.500\n",
        "a.csv",
        "Artikel:TEXT Menge:TEXT",
        [("A", "1.000"), ("B", "12.500")],
    ),
    (
        "points that another column proves",
        "a;b\n1.000;0.25\n2.500;1.5\n",
        "a.csv",
        "a:NUMERIC b:NUMERIC",
        [("1.000", "0.25"), ("2.500", "1.5")],
    ),
    (
        "groups in a file that has decimals with both marks",
        "a;b;c\n1.000;2,50;0.25\n",
        "a.csv",
        "a:TEXT b:NUMERIC c:NUMERIC",
        [("1.000", "2.50", "0.25")],
    ),
    (
        "a spreadsheet saved as CSV in France",
        "Nom;Montant\nÉlodie;1\u202f234,50\nJean;99,00\n",
        "a.csv",
        "Nom:TEXT Montant:NUMERIC",
        [("Élodie", "1234.50"), ("Jean", "99.00")],
    ),
    (
        "a spreadsheet saved as Unicode text",
        "Name\tWert\r\nMüller\t1,5\r\n".encode("utf-16"),
        "Book1.txt",
        "Name:TEXT Wert:NUMERIC",
        [("Müller", "1.5")],
    ),
    (
        "a list as SAP prints it",
        f"{RULE}|Kunde|Datum     |Ort |\n{RULE}|4711 |31.12.2024|Bonn|\n|4712 |01.02.2024|    |\n",
        "sap.txt",
        "Kunde:INTEGER Datum:DATE Ort:TEXT",
        [("4711", "2024-12-31", "Bonn"), ("4712", "2024-02-01", None)],
    ),
    (
        "a table as SAP downloads it",
        "Table:  KNA1\r\n\r\n\tKunde\tName\r\n\r\n\t0000004711\tMeier\r\n\t0000000815\tBär\r\n",
        "sap.txt",
        "Kunde:TEXT Name:TEXT",
        [("0000004711", "Meier"), ("0000000815", "Bär")],
    ),
    (
        "what psql prints",
        " n | name  \n---+-------\n 1 | Ann   \n 2 | Bob B \n",
        "a.txt",
        "n:INTEGER name:TEXT",
        [("1", "Ann"), ("2", "Bob B")],
    ),
    (
        "what mysql prints",
        "+---+-----+\n| n | name|\n+---+-----+\n| 1 | Ann |\n| 2 |     |\n+---+-----+\n",
        "a.txt",
        "n:INTEGER name:TEXT",
        [("1", "Ann"), ("2", None)],
    ),
    (
        "a table in Markdown",
        "| n | name |\n|---|:---:|\n| 1 | Ann |\n| 2 | --- |\n",
        "a.md",
        "n:INTEGER name:TEXT",
        [("1", "Ann"), ("2", "---")],
    ),
    (
        "a report of Salesforce's rows",
        '"Id","CreatedDate","IsWon"\n"006A1","2024-01-15T10:20:30.000+0000","true"\n',
        "sf.csv",
        "source_id:TEXT CreatedDate:TIMESTAMPTZ IsWon:BOOLEAN",
        [("006A1", "2024-01-15 10:20:30+00", "true")],
    ),
    (
        "an export of BigQuery",
        "ts,arr,n\n2024-01-15 10:20:30 UTC,[],1e-05\n2024-01-15 10:20:30.123456 UTC,[],2.5\n",
        "bq.csv",
        "ts:TIMESTAMPTZ arr:TEXT n:DOUBLE",
        [
            ("2024-01-15 10:20:30+00", "[]", "1e-05"),
            ("2024-01-15 10:20:30.123456+00", "[]", "2.5"),
        ],
    ),
    (
        "R's write.csv2",
        '"";"name";"n"\n"1";"Ann";1,5\n"2";"Bob";NA\n',
        "r.csv",
        "column_1:INTEGER name:TEXT n:NUMERIC",
        [("1", "Ann", "1.5"), ("2", "Bob", None)],
    ),
    (
        "missing values as Stata and SAS write them",
        "v,w\n.,a\n3.5,.\n",
        "s.csv",
        "v:TEXT w:TEXT",
        [(".", "a"), ("3.5", ".")],
    ),
    (
        "dates that MySQL writes for none",
        "d\n0000-00-00\n2024-01-01\n",
        "m.csv",
        "d:TEXT",
        [("0000-00-00",), ("2024-01-01",)],
    ),
    (
        "a header with names for two columns each",
        "Sales,,Cost,\nQ1,Q2,Q1,Q2\n1,2,3,4\n",
        "a.csv",
        "Q1:INTEGER Q2:INTEGER Q1_2:INTEGER Q2_2:INTEGER",
        [("1", "2", "3", "4")],
    ),
    (
        "digits that are none of PostgreSQL's",
        "a,b,c\n٣,１２,−5\n",
        "a.csv",
        "a:TEXT b:TEXT c:TEXT",
        [("٣", "１２", "−5")],
    ),
    (
        "line separators within cells",
        "a,b\n1,x\x0by\n2,\u2028z\n3,\x85w\n",
        "a.csv",
        "a:INTEGER b:TEXT",
        [("1", "x\x0by"), ("2", "\u2028z"), ("3", "\x85w")],
    ),
    (
        "JSON's numbers",
        '[{"a":9007199254740993,"b":0.1000,"c":"1"},{"a":1,"b":2,"c":"2"}]',
        "a.json",
        "a:BIGINT b:NUMERIC c:TEXT",
        [("9007199254740993", "0.1000", "1"), ("1", "2", "2")],
    ),
]


@pytest.mark.parametrize("chunk_bytes", [7, 65_536])
async def test_every_cell_is_what_a_person_reads(load: Loader, chunk_bytes: int) -> None:
    load.chunk_bytes = chunk_bytes
    for what, data, file_name, types, cells in READ:
        outcome, named, rows = await made(load, data, file_name)
        assert (named, rows) == (types, cells), what
        assert outcome.rows.rejected == 0, what


async def test_lines_between_rows_are_counted(load: Loader) -> None:
    ruled = "+---+\n| a | b |\n+---+\n| 1 | 2 |\n+---+\n|---|---|\n| 3 | 4 |\n"
    outcome, _, cells = await made(load, ruled)
    assert outcome.format is not None
    assert (outcome.format.rule_lines, outcome.format.skipped) == (3, 1)
    assert cells == [("1", "2"), ("3", "4")]
    plain = "note,n\n---,1\n-----,2\n"
    outcome, _, cells = await made(load, plain)
    assert outcome.format is not None
    assert (outcome.format.rule_lines, cells) == (0, [("---", "1"), ("-----", "2")])


async def test_a_row_with_a_field_before_its_first_delimiter_is_refused(load: Loader) -> None:
    outcome, named, cells = await made(load, "\ta\tb\n\t1\t2\nx\t3\t4\n\t5\t6\n" * 1)
    assert named == "column_1:TEXT a:INTEGER b:INTEGER"
    assert outcome.rows.rejected == 0
    rows = "".join(f"\t{n}\tx\n" for n in range(200))
    outcome, named, cells = await made(load, f"\ta\tb\n{rows}y\t3\t4\n")
    assert (named, len(cells)) == ("a:INTEGER b:TEXT", 200)
    assert load.rejects.reasons == [(202, None, "too_many_fields")]


async def test_decimal_commas_of_one_column_decide_for_the_others(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC", b="NUMERIC", c="INTEGER"))
    outcome = await load.load("t", "a;b;c\n1.000;2,50;1.000\n12;3;5\n")
    assert (outcome.rows.loaded, outcome.rows.rejected) == (2, 0)
    assert await load.rows("t", "a::text, b::text, c") == [("1000", "2.50", 1000), ("12", "3", 5)]
    outcome = await load.load("t", "a;b;c\n1.000;2,50;1\n0.25;3;5\n")
    assert (await load.rows("t", "a::text, b::text"))[2:] == [("1.000", "2.50"), ("0.25", "3")]


async def test_no_row_becomes_a_header(load: Loader) -> None:
    escaped = '1,"Ann","a\\"b",\\N\n2,"Bob","c\\\\d",5\n'
    with pytest.raises(FileRefusedError, match="escape=backslash"):
        await made(load, escaped)
    _, _, cells = await made(load, escaped, escape="backslash", header_line="none")
    assert cells == [("1", "Ann", 'a"b', None), ("2", "Bob", "c\\d", "5")]
    split = '{"columns":["a","b"],"data":[[1,"x"],[2,"y"]]}'
    with pytest.raises(HeaderDoubtfulError):
        await made(load, split, "a.json", record_path="data")
    _, _, cells = await made(load, split, "a.json", record_path="data", header_line="none")
    assert cells == [("1", "x"), ("2", "y")]


async def test_members_that_are_there_twice_are_refused(load: Loader) -> None:
    lines = '{"a":1,"b":{"k":1}}\n{"a":1,"a":2}\n{"a":3,"b":{"k":[{"x":1,"x":2}]}}\n{"a":4}\n'
    for data, name in ((lines, "a.ndjson"), (f"[{','.join(lines.splitlines())}]", "a.json")):
        await made(load, data, name)
        assert await load.rows("t", "a") == [(1,), (4,)]
        assert [reject.line for reject in load.rejects.kept] == [2, 3]
        load.rejects.kept.clear()
    many = '{"a":1}\n' * 50_000 + '{"a":1,"a":2}\n'
    outcome, _, _ = await made(load, many, "a.ndjson")
    assert (outcome.rows.loaded, outcome.rows.rejected) == (50_000, 1)
    await load.make_table("u", columns(j="JSON"))
    with pytest.raises(NoRowFitsError):
        await load.load("u", 'j\n"{""k"": 1, ""k"": 2}"\n')


async def test_the_evidence_names_the_option(load: Loader) -> None:
    outcome, _, _ = await made(load, "a;b;c;d\n$1,234.50;12%;31.12.24;1.000\n")
    because = {each.column: each.because for each in outcome.inferred}
    assert "numbers=lenient" in because["a"]
    assert "numbers=lenient` reads it as 0.12" in because["b"]
    assert "century_from" in because["c"]
    assert "thousands=." in because["d"]
    assert "decimal=." in because["d"]


async def test_what_cannot_be_told_apart_or_kept_is_refused_with_a_way_out(load: Loader) -> None:
    twice = io.BytesIO()
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), twice)
    with pytest.raises(DuplicateColumnError, match="'a'"):
        await made(load, twice.getvalue(), "a.parquet")
    finer = io.BytesIO()
    pq.write_table(pa.table({"t": pa.array([1, 1_000], pa.timestamp("ns"))}), finer)
    outcome, _, cells = await made(load, finer.getvalue(), "a.parquet")
    assert (outcome.rows.rejected, cells) == (1, [("1970-01-01 00:00:00.000001",)])
    assert "TEXT column (`types`)" in load.rejects.kept[0].message
    _, _, cells = await made(load, finer.getvalue(), "a.parquet", types={"t": "TEXT"})
    assert cells[0] == ("1970-01-01 00:00:00.000000001",)
    load.rejects.kept.clear()
    outcome, _, _ = await made(load, "name\nSmith, John\nPlato\n")
    assert "delimiter=tab" in load.rejects.kept[0].message
    outcome, _, cells = await made(load, "name\nSmith, John\nPlato\n", delimiter="\t")
    assert cells == [("Smith, John",), ("Plato",)]


async def test_files_without_a_column_and_headers_that_no_text_can_hold(load: Loader) -> None:
    for data in ("[]", "[{}]"):
        with pytest.raises(EmptyFileError):
            await made(load, data, "a.json")
    _, named, cells = await made(load, b"a\0b,c\n1,2\n")
    assert (named, cells) == ("a_b:INTEGER c:INTEGER", [("1", "2")])
    for script in ("INSERT INTO t (a) VALUES (1);\n", "-- MySQL dump 10.13\n"):
        with pytest.raises(WrongFileKindError, match="SQL"):
            await made(load, script)
