"""Encodings, delimiters and dates: what is found in a file, and what must be named."""

import pytest

from services.ingest.domain.options import ImportOptions
from services.ingest.errors import OptionError
from services.ingest.read.errors import EncodingNeededError, UnknownEncodingError
from services.ingest.read.limits import Limits
from tests.ingest.load.loading import Column, Loader, columns

SMALL = Limits(block_bytes=4096, record_bytes=20_000)


async def test_nul_bytes_and_bytes_that_are_no_text(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    data = b'a,b\n1,x\0y\n\x002,z\n3,\xff\xfe\n4,\xc3\xa9\n5,\xe9,\xe9\n6,"\xe9"x\n'
    await load.load("t", data, options=ImportOptions(encoding="utf-8"))
    assert await load.rows("t", "a, b") == [(4, "é")]
    assert load.rejects.reasons == [
        (2, "b", "nul_byte"),
        (3, "a", "nul_byte"),
        (4, None, "bad_encoding"),
        (6, None, "bad_encoding"),
        (7, None, "bad_encoding"),
    ]
    assert load.rejects.rows[2]["_raw"] == r"3,\xff\xfe"
    assert "\0" not in (load.rejects.kept[0].value or "")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("编号,姓名\n1,张伟在北京\n2,王芳在上海市\n", "gb18030"),
        ("編號,姓名\n1,張偉在臺北\n2,王芳在高雄市\n", "big5"),
        ("番号,氏名\n1,すずき　たろう\n2,サトウ　ハナコ\n", "cp932"),
        ("번호,이름\n1,김철수 서울\n2,이영희 부산광역시\n", "cp949"),
        ("nr,名\n1,é\n", "utf-8-sig"),
        ("nr,名\n1,é\n", "utf-16"),
        ("nr,name\n1,plain and simple\n", "utf-16-le"),
    ],
)
async def test_encodings_that_are_found(load: Loader, text: str, encoding: str) -> None:
    names = text.splitlines()[0].split(",")
    await load.make_table("t", Column(names[0], "INTEGER"), Column(names[1], "TEXT"))
    outcome = await load.load("t", text.encode(encoding))
    rows = [tuple(line.split(",")) for line in text.splitlines()[1:]]
    assert await load.rows("t", f'"{names[0]}", "{names[1]}"') == [(int(a), b) for a, b in rows]
    assert outcome.format is not None
    expected = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    assert outcome.format.encoding == expected


async def test_one_byte_encodings_must_be_named(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    data = "a,b\n1,Crème\n2,Müller\n".encode("cp1252")
    with pytest.raises(EncodingNeededError) as refusal:
        await load.load("t", data)
    assert "line 2" in refusal.value.detail
    assert "windows-1252: '1,Crème'" in refusal.value.detail
    assert "windows-1250: '1,Crčme'" in refusal.value.detail
    outcome = await load.load("t", data, options=ImportOptions(encoding="Windows-1252"))
    assert outcome.format is not None
    assert outcome.format.encoding == "cp1252"
    assert [row[0] for row in await load.rows("t", "b")] == ["Crème", "Müller"]
    for name in ("klingon", "idna", "hex"):
        with pytest.raises(UnknownEncodingError):
            await load.load("t", data, options=ImportOptions(encoding=name))


async def test_bytes_behind_an_ascii_head_are_no_surprise(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    head = "a,b\n" + "1,plain\n" * 3_000
    japanese = head + "2,すずき　たろう、おおさか\n"
    with pytest.raises(EncodingNeededError):
        await load.load("t", (head + "2,Crème\n").encode("cp1252"), limits=SMALL)
    assert await load.rows("t") == []
    outcome = await load.load("t", japanese.encode("cp932"), limits=SMALL)
    assert outcome.rows.loaded == 3_001
    assert (await load.rows("t", "b"))[-1] == ("すずき　たろう、おおさか",)


async def test_delimiters_are_found_or_named(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    cases = {
        ";": None, "\t": None, "|": None, ":": ":", "§": "§", " ": " ", "€": "€", "^": "^",
    }  # fmt: skip
    for delimiter, named in cases.items():
        options = ImportOptions(delimiter=named)
        data = f'a{delimiter}b\n1{delimiter}"x{delimiter}, y"\n2\n'
        load.chunk_bytes = 3
        outcome = await load.load("t", data, options=options)
        assert outcome.format is not None
        assert outcome.format.delimiter == delimiter
        assert (await load.rows("t", "b"))[-1] == (f"x{delimiter}, y",)
    await load.load("t", "a,b\n3,'it''s, so'\n", options=ImportOptions(quote="'"))
    await load.load("t", 'a,b\n4,"bare\n', options=ImportOptions(quote=""))
    assert [row[0] for row in await load.rows("t", "b")][-2:] == ["it's, so", '"bare']
    for wrong in (ImportOptions(delimiter=",,,,,"), ImportOptions(delimiter='"')):
        with pytest.raises(OptionError):
            await load.load("t", "a,b\n", options=wrong)


async def test_dates_in_another_format(load: Loader) -> None:
    await load.make_table("t", columns(a="DATE", b="TIMESTAMP"))
    for form in ("%d.%m.%Y", "DD.MM.YYYY"):
        options = ImportOptions(date_format=form)
        await load.load(
            "t", "a,b\n31.1.2024,31.01.2024 10:11\n2024-02-01,\n31.2.2024,\n", options=options
        )
    assert (
        await load.rows("t", "a::text, b::text")
        == [
            ("2024-01-31", "2024-01-31 10:11:00"),
            ("2024-02-01", None),
        ]
        * 2
    )
    assert load.rejects.reasons == [(4, "a", "out_of_range")] * 2
    # Days are not taken for months where the format's own shape was meant.
    await load.load("t", "a,b\n2024-31-01,\n", options=ImportOptions(date_format="%Y-%d-%m"))
    with pytest.raises(OptionError):
        await load.load("t", "a,b\n", options=ImportOptions(date_format="%H:%M"))
