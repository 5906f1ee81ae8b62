"""Files that are not what they should be: a clear refusal, or refused rows; nothing half done."""

import gzip
import resource
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import zstandard

from services.ingest.domain import FileFormat, ImportOptions
from services.ingest.errors import FileRefusedError
from services.ingest.pipeline.limits import MIB, Limits
from services.ingest.pipeline.load import load_file
from services.ingest.pipeline.ports import FileLoad
from services.ingest.pipeline.refusals import (
    BombError,
    DamagedFileError,
    DuplicateColumnError,
    EmptyColumnNameError,
    EmptyFileError,
    EncodingNeededError,
    IdColumnError,
    MissingColumnError,
    OptionError,
    RecordTooLargeError,
    RowTooWideError,
    TableChangedError,
    TooManyColumnsError,
    UnknownColumnError,
    UnknownEncodingError,
    WrongFileKindError,
)
from services.ingest.pipeline.source import inspect_upload
from tests.ingest.pipeline.loading import Column, Loader, columns

SMALL = Limits(block_bytes=4096, record_bytes=20_000)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml xl/workbook.xml", "XLSX"),
        (b"PK\x03\x04\x14\0\0\0 notes.txt", "ZIP"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
        (b"SQLite format 3\0", "SQLite"),
        (b"PAR1\x15\x04\x15\x10", "Parquet"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (gzip.compress(b"%PDF-1.7", mtime=0), "PDF"),
    ],
)
async def test_other_kinds_of_files_are_refused_by_name(
    load: Loader, data: bytes, kind: str
) -> None:
    await load.make_table("t", columns(a="TEXT"))
    with pytest.raises(WrongFileKindError, match=kind):
        await load.load("t", data)
    with pytest.raises(WrongFileKindError, match=kind):
        inspect_upload(data, file_name="a.csv", options=ImportOptions())


async def test_a_header_that_only_looks_like_a_binary_file_is_read(load: Loader) -> None:
    await load.make_table("t", columns(MZ="TEXT", ID3="TEXT"))
    assert (await load.load("t", "MZ,ID3\n1,2\n")).rows.loaded == 1


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\r\n \n", gzip.compress(b"", mtime=0)])
async def test_empty_files_are_refused(load: Loader, data: bytes) -> None:
    await load.make_table("t", columns(a="TEXT"))
    with pytest.raises(EmptyFileError):
        await load.load("t", data)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("a,b,zz", UnknownColumnError),
        ("a,b,a", DuplicateColumnError),
        ("a,b,", EmptyColumnNameError),
        ("a,b, ", EmptyColumnNameError),
        ("a,b,id", IdColumnError),
        ("b", MissingColumnError),
        (",".join(["a", "b", *(f"c{n}" for n in range(1_599))]), TooManyColumnsError),
    ],
)
async def test_headers_that_do_not_fit(
    load: Loader, header: str, error: type[FileRefusedError]
) -> None:
    await load.make_table(
        "t", columns(a="TEXT NOT NULL", b="TEXT"), Column("d", "TEXT", nullable=False, default="1")
    )
    with pytest.raises(error):
        await load.load("t", f"{header}\n")
    with pytest.raises(error):
        inspect_upload(
            header.encode() + b"\n",
            file_name="a.csv",
            options=ImportOptions(),
            contract=await load.contract("t"),
        )


async def test_columns_that_are_ignored_dropped_or_mapped(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT", b="INTEGER"))
    options = ImportOptions(mapping={"x": "b", "junk": None, "id": None})
    await load.load("t", "a,x,junk,_line,_,id\none,2,?,?,?,9\n", options=options)
    assert await load.rows("t", "id, a, b") == [(1, "one", 2)]
    await load.load("t", "a,nr\ntwo,40\n", options=ImportOptions(mapping={"nr": "id"}))
    await load.load("t", "a\nthree\n")
    assert await load.rows("t", "id, a") == [(1, "one"), (40, "two"), (41, "three")]
    for mapping in ({"no": "a"}, {"a": "b", "x": "b"}, {"a": "zz"}):
        with pytest.raises(FileRefusedError):
            await load.load("t", "a,x\n", options=ImportOptions(mapping=mapping))


async def test_the_report_corrected_is_a_valid_upload(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    await load.load("t", 'a,b\nx,"one, ""1"""\n5\n6,\n7,y,z\ny,""\n,\n')
    report = load.rejects.written.decode()
    assert report.splitlines()[0] == "a,b,_line,_column,_code,_message,_raw"
    assert 'x,"one, ""1""",2,a,type_mismatch,' in report
    await load.rejects.restart()
    outcome = await load.load("t", report.replace("\nx,", "\n1,").replace("\ny,", "\n2,"))
    # Rows that still stand in `_raw` have nothing to load, and say so again.
    assert (outcome.rows.loaded, outcome.rows.rejected) == (2, 2)
    assert {row["_raw"] for row in load.rejects.rows} == {"5", "7,y,z"}
    assert await load.rows("t", "a, b") == [(6, None), (None, None), (1, 'one, "1"'), (2, "")]


async def test_lines_are_physical_after_quoted_newlines_and_blank_lines(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    data = '\n"a",b\r\n1,"two\r\nlines"\r\n\r\nx,"three\n\nlines"\n\ny,4\n5\n'
    await load.load("t", data)
    assert [line for line, *_ in load.rejects.reasons] == [6, 10, 11]
    assert await load.rows("t", "a, b") == [(1, "two\r\nlines")]


async def test_lines_may_end_as_on_old_macs(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    await load.load("t", 'a,b\r1,x\rz,"y\rz"\r3,"p\rq"')
    assert await load.rows("t", "a, b") == [(1, "x"), (3, "p\nq")]
    assert load.rejects.reasons == [(3, "a", "type_mismatch")]


async def test_stray_and_unbalanced_quotes_cost_their_own_line_only(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT", c="TEXT"))
    lines = [
        '1,5" pipe,x', '2,"ok, ""yes""",y', '3,"open,z', "4,plain,z", '5,"a"b,z', '6,"again",z',
        '7,x,"never closed', "8,last,z",
    ]  # fmt: skip
    outcome = await load.load("t", "a,b,c\n" + "\n".join(lines) + "\n")
    assert await load.rows("t", "a, b") == [
        (1, '5" pipe'), (2, 'ok, "yes"'), (4, "plain"), (5, "ab"), (6, "again"), (8, "last"),
    ]  # fmt: skip
    assert load.rejects.reasons == [(4, None, "too_few_fields"), (8, None, "too_few_fields")]
    assert "quote" in load.rejects.kept[0].message
    assert load.rejects.rows[0]["_raw"] == '3,"open,z'
    assert outcome.rows.rejected == 2


async def test_an_unbalanced_quote_in_a_large_file_does_not_swallow_it(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    data = 'a,b\n1,x\n2,"open\n' + "".join(f"{n},plain\n" for n in range(3, 30_000))
    outcome = await load.load("t", data, limits=SMALL)
    assert outcome.rows.loaded == 29_998
    assert load.rejects.reasons == [(3, None, "too_few_fields")]


async def test_a_line_beyond_the_limit_is_skipped(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    load.chunk_bytes = 1_000
    data = f"a,b\n1,x\n2,{'y' * 50_000}\n3,z\n"
    await load.load("t", data, limits=SMALL)
    assert await load.rows("t", "a, b") == [(1, "x"), (3, "z")]
    assert load.rejects.reasons == [(3, None, "too_long")]
    with pytest.raises(RecordTooLargeError):
        await load.load("t", f"a,{'b' * 50_000}\n", limits=SMALL)
    with pytest.raises(RecordTooLargeError):
        await load.load("t", f'[{{"a": 1}}, {{"b": "{"y" * 50_000}"}}]', limits=SMALL)


@dataclass(frozen=True)
class OneLine:
    """A header and one line of so many bytes, made while it is read."""

    size_bytes: int

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"a,b\n1,"
        for _ in range(self.size_bytes // MIB):
            yield b"x" * MIB


async def test_a_line_of_300_megabytes_leaves_memory_flat(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    job = FileLoad("t", "long.csv", ImportOptions(), OneLine(300 * MIB))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = await load_file(job, load.ports("t"))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert (outcome.rows.read, outcome.rows.rejected) == (1, 1)
    assert load.rejects.reasons == [(2, None, "too_long")]
    assert grown_kib < 250 * 1024


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
    for wrong in (ImportOptions(delimiter=",,"), ImportOptions(delimiter='"')):
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


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
async def test_compressed_files(load: Loader, pack: Callable[[bytes], bytes]) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    data = pack(b"a\n1\n") + pack(b"2\n") + pack(b"3\n")
    load.chunk_bytes = 5
    outcome = await load.load("t", data)
    assert await load.rows("t", "a") == [(1,), (2,), (3,)]
    assert outcome.format is not None
    assert outcome.format.compression == ("gzip" if pack is gzip.compress else "zstd")
    assert outcome.bytes_read == len(data)
    with pytest.raises(DamagedFileError):
        await load.load("t", data[:-3])


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
async def test_bombs_are_stopped(load: Loader, kind: str) -> None:
    await load.make_table("t", columns(a="TEXT"))
    line = b"a\n" + b"0" * 1000 + b"\n"
    if kind == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        data = packer.compress(line) + b"".join(packer.compress(b"0" * MIB) for _ in range(200))
        data += packer.flush()
    else:
        data = zstandard.compress(line + b"0" * (200 * MIB))
    with pytest.raises(BombError, match="times its size"):
        await load.load("t", data)
    with pytest.raises(BombError, match="beyond 1 MiB"):
        await load.load("t", data, limits=Limits(decompressed_bytes=MIB))
    assert await load.rows("t") == []


async def test_a_row_beyond_the_tuple_limit_is_a_clear_failure(load: Loader) -> None:
    names = [f"c{n}" for n in range(1_200)]
    await load.make_table("t", [Column(name, "BIGINT") for name in names])
    data = ",".join(names) + "\n" + ",".join(["1"] * 1_200) + "\n"
    with pytest.raises(RowTooWideError, match="too wide"):
        await load.load("t", data)
    assert await load.rows("t", "id") == []


async def test_a_table_that_changed_meanwhile_is_left_alone(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    old = await load.contract("t")
    await load.owner.execute("ALTER TABLE data.t ALTER a TYPE bigint")
    job = FileLoad("t", "a.csv", ImportOptions(), OneLine(0))
    ports = load.ports("t")

    async def stale() -> object:
        return old

    object.__setattr__(ports, "contract", stale)
    with pytest.raises(TableChangedError):
        await load_file(
            FileLoad("t", "a.csv", ImportOptions(mapping={"b": None}), job.source), ports
        )
    await load.owner.execute("DROP TABLE data.t")
    with pytest.raises(TableChangedError):
        await load_file(
            FileLoad("t", "a.csv", ImportOptions(mapping={"b": None}), job.source), ports
        )


async def test_ids_come_from_the_default_where_none_can_be_reserved(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    other = await load.pool.acquire()
    transaction = other.transaction()
    await transaction.start()
    await other.execute("INSERT INTO data.t (a) VALUES (0)")
    outcome = await load.load("t", "a\n1\n2\n")
    await transaction.commit()
    await load.pool.release(other)
    assert outcome.rows.loaded == 2
    assert await load.rows("t", "id, a") == [(1, 0), (2, 1), (3, 2)]


async def test_a_file_of_nothing_but_bad_rows(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    outcome = await load.load("t", "a\n" + "x\n" * 300_000)
    assert outcome.rows.rejected == 300_000
    assert len(load.rejects.kept) == 1000
    assert load.rejects.written.count(b"\n") == 300_001
    assert outcome.format is not None
    assert outcome.format.name is FileFormat.CSV
