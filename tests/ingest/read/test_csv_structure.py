"""What is found of a delimited file's structure, and told: header, delimiter, quotes, footers."""

import pytest

from services.ingest.errors import FileRefusedError, OptionError
from services.ingest.read.errors import (
    DelimiterNeededError,
    HeaderDoubtfulError,
    WrongFileKindError,
)
from tests.ingest.plan.test_columns import table
from tests.ingest.read.reading import read


async def test_a_preamble_is_skipped_and_counted() -> None:
    for preamble in (
        "Sales report\nGenerated: 2024-03-01\n\n",
        "Sales report,,\n,,\n",
        "Sales report,,\nGenerated,,\n\n\n",
        "# exported\n",
    ):
        found = await read(preamble + "name,amount,x\nAnn,1,a\nBob,2,b\n")
        lines = preamble.count("\n")
        assert found.names == ["name", "amount", "x"], preamble
        assert (found.format.header_line, found.format.skipped) == (lines + 1, lines)
        assert found.rows == {lines + 2: ("Ann", "1", "a"), lines + 3: ("Bob", "2", "b")}


@pytest.mark.parametrize(
    "data",
    [
        "no,taken,side\n1,2024,left,ok\n2,2025,right,ok\n",  # a header that is too short
        "name\nAnn,x\nBob,y\n",  # nothing says that the first line is no header
        ",plant,bed\n0,Fern,North\n",
        "name,,\nAnn,x,y\nBob,y,z\n",
    ],
)
async def test_a_header_is_not_taken_for_a_preamble(data: str) -> None:
    found = await read(data)
    assert (found.format.header_line, found.format.skipped) == (1, 0)


async def test_records_that_end_with_no_line_end_are_refused_as_such() -> None:
    for data in ("a\x1fb\x1e1\x1f2\x1e", "a,b\x1e1,2\x1e\n"):
        with pytest.raises(WrongFileKindError, match=r"U\+001E"):
            await read(data)


async def test_the_line_of_the_header_may_be_named() -> None:
    data = "a,b\nc,d\n1,2\n"
    found = await read(data, header_line="2")
    assert (found.names, found.cells) == (["c", "d"], [("1", "2")])
    assert (found.format.header_line, found.format.skipped) == (2, 1)
    found = await read(data, header_line="none")
    assert found.names == ["column_1", "column_2"]
    assert found.rows == {1: ("a", "b"), 2: ("c", "d"), 3: ("1", "2")}
    assert (found.format.header_line, found.format.skipped) == (None, 0)
    with pytest.raises(OptionError) as refusal:
        await read(data, header_line="9")
    assert refusal.value.errors[0].field == "header_line"


async def test_a_header_of_numbers_is_doubtful_unless_the_table_knows_it() -> None:
    data = "Brunnen,48211.75,90417\nFelden,1204.5,90422\n"
    with pytest.raises(HeaderDoubtfulError, match="header_line=none"):
        await read(data)
    assert len((await read(data, header_line="none")).rows) == 2
    years = "land,2019,2020,2021\nA,1,2,3\n"
    with pytest.raises(HeaderDoubtfulError):
        await read(years)
    known = table(land="", **{"2019": "", "2020": "", "2021": ""})
    assert (await read(years, contract=known)).names == ["land", "2019", "2020", "2021"]
    assert (await read(years, header_line="1")).cells == [("A", "1", "2", "3")]


@pytest.mark.parametrize(
    ("data", "delimiter", "columns"),
    [
        ("Artikel;Preis, EUR\nStift;1,50\nBuch;12,00\n", ";", 2),
        ("Name, Vorname;Betrag\nDoe, Jane;12\nRoe, Rick;7\n", ";", 2),
        ("a||b||c\n1||x||2\n3||||4\n", "||", 3),
        ("a::b\n1::2\n", "::", 2),
        ("a^b\n1^2\n", "^", 2),
        ("a\x01b\n1\x012\n", "\x01", 2),
        ("text\nall of it\nc; d\ne\n", ",", 1),
        ("note,tags\nx,a|b\ny,c\n", ",", 2),
        ("a;b;c\n1,5;2,5;3\n2,5;1;x\n", ";", 3),
        ("sep=;\na;b\n1,2;3\n", ";", 2),
        ('"sep=|"\na|b\n1|2\n', "|", 2),
        ("when\tnote\n10:00\tx, y\n11:00\tz, w\n", "\t", 2),
    ],
)
async def test_the_delimiter_in_which_header_and_rows_agree(
    data: str, delimiter: str, columns: int
) -> None:
    found = await read(data)
    assert (found.format.delimiter, len(found.names)) == (delimiter, columns)
    assert not found.refused


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
async def test_rows_that_are_parted_are_none_of_one_column(delimiter: str) -> None:
    lines = ["Report", "name,amount,unit", "a,1,kg", "b,2", "c,3,kg"]
    text = "\n".join(lines).replace(",", delimiter) + "\n"
    found = await read(text)
    assert (found.names, found.cells) == (["Report"], [])
    assert [code for _, code in found.refused] == ["too_many_fields"] * 4
    named = await read(text, header_line="2")
    assert (len(named.cells), named.refused) == (2, [(4, "too_few_fields")])
    # One of several rows may well hold the sign.
    text = f"note\nx\na{delimiter}b\n"
    found = await read(text)
    rows = [("x",), (f"a{delimiter}b",)]
    assert (found.names, found.cells) == (["note"], rows[: 1 if delimiter == "," else 2])


async def test_a_tie_of_two_delimiters_is_decided_by_the_table_or_a_person() -> None:
    data = "a;b,c\n1;2,3\n4;5,6\n"
    with pytest.raises(DelimiterNeededError) as refusal:
        await read(data)
    assert "with ',': a;b | c; 1;2 | 3" in refusal.value.detail
    assert "with ';': a | b,c; 1 | 2,3" in refusal.value.detail
    assert refusal.value.errors[0].field == "delimiter"
    known = table(a="", **{"b,c": ""})
    assert (await read(data, contract=known)).cells[0] == ("1", "2,3")
    assert (await read(data, delimiter=",")).cells[0] == ("1;2", "3")


async def test_a_delimiter_of_several_characters_in_small_pieces() -> None:
    data = 'a<=>b\n1<=>"x<=>y"\n2<=>z<\n'
    found = await read(data, delimiter="<=>", chunk=1, block=16)
    assert found.cells == [("1", "x<=>y"), ("2", "z<")]
    assert found.format.delimiter == "<=>"


@pytest.mark.parametrize("end", [",", ",\r"])
async def test_a_delimiter_at_the_end_of_every_line(end: str) -> None:
    for header in ("a,b" + end, "a,b"):
        rows = f"1,2{end}\n3,{end}\n" * 5
        found = await read(f"{header}\n{rows}4,5\n9\n6,7,8\n", block=30, chunk=9)
        assert found.names == ["a", "b"]
        assert found.cells == [*[("1", "2"), ("3", None)] * 5, ("4", "5")]
        assert found.refused == [(13, "too_few_fields"), (14, "too_many_fields")]
    # Some lines are not every line.
    found = await read("a,b,c\n1,2,\n3,4,5\n")
    assert found.names == ["a", "b", "c"]


@pytest.mark.parametrize("tail", ["\x1a", "\x1a\r\n", "\0" * 5_000, "\n\0\0\x1a"])
async def test_padding_at_the_end_is_no_row(tail: str) -> None:
    found = await read("a,b\n1,2\n" + tail, chunk=7, block=64)
    assert (found.rows, found.refused) == ({2: ("1", "2")}, [])
    found = await read('{"a": 1}\n' + tail, file_name="x.ndjson", chunk=7, block=64)
    assert (found.rows, found.refused) == ({1: ("1",)}, [])
    inside = await read(f"a,b\n1,x{tail}y\n2,z\n".replace("\n\0", "\0"), chunk=7, block=64)
    assert list(inside.rows.values())[-1] == ("2", "z")


async def test_blank_rows_are_counted_and_left_out() -> None:
    data = 'bib,name\n12,Ann\n,\n\n  \n,,,\n13,""\n"",\n,\n'
    for block in (1, 1 << 20):
        found = await read(data, block=block)
        assert found.cells == [("12", "Ann"), ("13", ""), ("", None)]
        assert (found.format.blank_rows, found.refused) == (5, [])


async def test_repeated_headers_and_marks_of_joined_files_are_left_out() -> None:
    mark = "\ufeff"
    data = f'{mark}day,"amount"\n1,0.10\n{mark}day,"amount"\n2,0.20\n{mark}3,0.30\nday,x\n'
    for block in (1, 9, 1 << 20):
        found = await read(data, block=block)
        assert found.cells == [("1", "0.10"), ("2", "0.20"), ("3", "0.30"), ("day", "x")]
        assert (found.format.repeated_headers, found.format.byte_order_marks) == (1, 2)


async def test_a_footer_is_left_out_where_somebody_says_so() -> None:
    data = "a,b\n1,2\n3,4\n5,6\nTotal,\nprinted today\n\n"
    assert (await read(data)).refused == [(6, "too_few_fields")]
    for block in (1, 1 << 20):
        found = await read(data, footer_lines=2, block=block)
        assert (found.cells, found.refused) == ([("1", "2"), ("3", "4"), ("5", "6")], [])
        assert found.format.footer_lines == 2
    assert (await read(data, footer_lines=99)).cells == []


async def test_short_rows_are_filled_where_somebody_says_so() -> None:
    data = "plant,where,by\nfern,wall,Ann\nmoss,wall\nivy\n,,\na,b,c,d\n"
    found = await read(data)
    assert [line for line, _ in found.refused] == [3, 4, 6]
    found = await read(data, fill_short=True)
    assert found.cells == [("fern", "wall", "Ann"), ("moss", "wall", None), ("ivy", None, None)]
    assert found.refused == [(6, "too_many_fields")]
    assert found.format.blank_rows == 1


async def test_comments_are_left_out_where_somebody_names_their_mark() -> None:
    data = '# it\'s "made"\na,b\n1,x\n#2,"y\n3,"p\n#q"\n# end'
    for block in (1, 1 << 20):
        found = await read(data, comment="#", quote='"', block=block)
        assert (found.names, found.rows) == (["a", "b"], {3: ("1", "x"), 5: ("3", "p\n#q")})
        assert (found.format.header_line, found.refused) == (2, [])
    assert (await read("a,b\n#1,2\n")).cells == [("#1", "2")]


async def test_backslashes_escape_where_somebody_says_so() -> None:
    data = (
        'a,b\n1,"say \\"hi\\", ""so"""\n2,x\\,y\\nz\n3,\\N\n4,"\\N"\n5,back\\\\slash\n'
        "6,two\\\nlines\n"
    )
    for block in (1, 7, 1 << 20):
        found = await read(data, escape="backslash", block=block)
        assert found.cells == [
            ("1", 'say "hi", "so"'), ("2", "x,y\nz"), ("3", None), ("4", "N"),
            ("5", "back\\slash"), ("6", "two\nlines"),
        ]  # fmt: skip
        assert (found.format.escape, found.refused) == ("backslash", [])
    assert (2, "stray_quote") in (await read(data)).refused


async def test_blanks_around_fields_go_where_all_rows_have_them() -> None:
    data = 'a, b, c\n1, "x, y", z \n2, p,\n'
    for block in (1, 1 << 20):
        found = await read(data, block=block)
        assert found.cells == [("1", "x, y", "z"), ("2", "p", None)]
        assert found.format.trim == "all"
    some = await read("a,b\n1, x\n2,y\n")
    assert (some.cells, some.format.trim) == ([("1", " x"), ("2", "y")], "none")
    assert (await read("a,b\n1, x\n2,y \n", trim="all")).cells == [("1", "x"), ("2", "y")]
    assert (await read("a, b\n1, x\n2, y\n", trim="none")).cells == [("1", " x"), ("2", " y")]
    kept = await read('a ,b\n1 ,"  x  "\n2 ,y\n')
    assert kept.cells == [("1", "  x  "), ("2", "y")]


async def test_quotes_that_only_confuse_are_characters() -> None:
    data = (
        'id\ttitle\toriginal\tyear\n1\t"Alpha\tAlpha\t1950\n2\tOmega"\tOmega\t1951\n3\tC\tC\t1954\n'
    )
    found = await read(data)
    assert found.format.quote is None
    assert [row[1] for row in found.cells] == ['"Alpha', 'Omega"', "C"]
    assert len((await read(data, quote='"')).rows) == 2


async def test_a_record_that_fits_with_and_without_its_quotes_is_ambiguous() -> None:
    data = 'id,title,year\n0,"C, D",1949\n1,"Alpha,1950\n2,Omega",1951\n3,E,1954\n'
    for block in (1, 1 << 20):
        found = await read(data, block=block)
        assert found.refused == [(3, "ambiguous_quote"), (4, "ambiguous_quote")]
        assert found.raw == ['1,"Alpha,1950', '2,Omega",1951']
        assert [row[0] for row in found.cells] == ["0", "3"]
    assert len((await read(data, quote='"')).rows) == 3
    letters = 'id,text\n1,"Dear Ann\nthanks, bye"\n2,"x, y"\n'
    assert (await read(letters)).cells[0] == ("1", "Dear Ann\nthanks, bye")


async def test_text_behind_a_closing_quote_is_never_changed() -> None:
    found = await read('"emp","name","dept"\n"1","JOHN "DUKE"","Sales"\n"2","ANN O","IT"\n')
    assert found.refused == [(2, "stray_quote")]
    assert found.raw == ['"1","JOHN "DUKE"","Sales"']
    assert found.cells == [("2", "ANN O", "IT")]
    assert (await read('a,b\n5" pipe,1\n')).cells == [('5" pipe', "1")]


async def test_single_quotes_are_found_where_nothing_else_fits() -> None:
    found = await read("a,b\n1,'x, y'\n2,'z'\n")
    assert (found.format.quote, found.cells) == ("'", [("1", "x, y"), ("2", "z")])
    found = await read("a,b\n1,it's\n2,so\n")
    assert (found.format.quote, found.cells[0]) == ('"', ("1", "it's"))


async def test_columns_without_a_name_of_their_own_are_reached_by_number() -> None:
    found = await read("Issue key,Labels,Labels,,Labels#2\n1,a,b,c,d\n")
    assert found.names == ["Issue key", "Labels", "#3", "#4", "Labels#2"]
    found = await read("Labels,Labels,Labels\n1,2,3\n")
    assert found.names == ["Labels", "Labels#2", "Labels#3"]


@pytest.mark.parametrize("data", ["", "\n\n", '"never closed\n1\n'])
async def test_a_file_without_a_header_is_refused(data: str) -> None:
    with pytest.raises(FileRefusedError):
        await read(data)
