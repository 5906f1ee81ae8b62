"""Files that are not what they should be: a clear refusal, or refused rows; nothing half done."""

import gzip
import resource
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import zstandard

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Reason, RejectCode
from services.ingest.errors import (
    DuplicateColumnError,
    EmptyColumnNameError,
    EmptyFileError,
    FileRefusedError,
    IdColumnError,
    MissingColumnError,
    NoRowFitsError,
    RowTooWideError,
    TableChangedError,
    TooManyColumnsError,
    UnknownColumnError,
)
from services.ingest.load.load import load_source
from services.ingest.read.errors import (
    BombError,
    DamagedFileError,
    RecordTooLargeError,
    WrongFileKindError,
)
from services.ingest.read.formats import check_upload, opened
from services.ingest.read.limits import MIB, Limits
from shared.contracts.records import TableContract
from tests.ingest.load.loading import Column, LoadedTable, Loader, StoredBytes, columns
from tests.support.profile import only_in_full

SMALL = Limits(block_bytes=4096, record_bytes=20_000)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml word/document.xml", "DOCX"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"SQLite format 3\0", "SQLite"),
        (b"Obj\x01\x04\x14", "Avro"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"<rows><row><a>1</a></row></rows>", "markup"),
        (b"ORC\x08\x03", "ORC"),
        (b"\x80\x04\x95\x1d\0\0", "pickle"),
        (b"\0\0\0\x18ftypmp42\0\0", "film"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n", "Git LFS"),
        (b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n", "vCard"),
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
        check_upload(
            StoredBytes(data), data, file_name="a.csv", options=ImportOptions(), contract=None
        )


async def test_a_header_that_only_looks_like_a_binary_file_is_read(load: Loader) -> None:
    await load.make_table("t", columns(MZ="TEXT", ID3="TEXT"))
    assert (await load.load("t", "MZ,ID3\n1,2\n")).rows.loaded == 1
    await load.make_table("u", columns(ORC="TEXT", b="TEXT"))
    assert (await load.load("u", "ORC,b\n<b>,2\n")).rows.loaded == 1


async def test_a_file_of_control_characters_is_no_text(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT"))
    binary = b"\x03\x7c\x01\x01" + b"NAME\0\0\0\0\0\0\0C\0\0\0\0" * 8 + b"\nAnn\n"
    for options in (ImportOptions(), ImportOptions(encoding="cp1252")):
        with pytest.raises(WrongFileKindError, match="binary"):
            await load.load("t", binary, options=options)
    text = b"a\nx\n" + b"\0" * 4096
    assert (await load.load("t", text)).rows.loaded == 1
    assert (await load.load("t", "a\nx\n".encode("utf-16-le") * 20)).rows.loaded > 0


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
    data = header.encode() + b"\n"
    with pytest.raises(error):
        check_upload(
            StoredBytes(data),
            data,
            file_name="a.csv",
            options=ImportOptions(),
            contract=await load.contract("t"),
        )


async def test_columns_that_are_ignored_dropped_or_mapped(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT", b="INTEGER"))
    options = ImportOptions(mapping={"x": "b", "junk": None, "id": None})
    await load.load("t", "a,x,junk,id\none,2,?,9\n", options=options)
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
    assert await load.rows("t", "a, b") == [(6, None), (1, 'one, "1"'), (2, "")]


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
        (1, '5" pipe'), (2, 'ok, "yes"'), (4, "plain"), (6, "again"), (8, "last"),
    ]  # fmt: skip
    assert load.rejects.reasons == [
        (4, None, "too_few_fields"), (6, None, "stray_quote"), (8, None, "too_few_fields"),
    ]  # fmt: skip
    assert "quote" in load.rejects.kept[0].message
    assert load.rejects.rows[0]["_raw"] == '3,"open,z'
    assert load.rejects.rows[1]["_raw"] == '5,"a"b,z'
    assert outcome.rows.rejected == 3


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


async def test_a_value_beyond_the_limit_is_refused_and_the_next_ones_are_read(
    load: Loader,
) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    for text in ('[{"a": 1}, {"b": "%s]"}, {"a": 2}]', '{"a":\n1}\n{"b":\n"%s}"} {"a": 2}'):
        load.rejects.kept.clear()
        load.chunk_bytes = 1_000
        await load.load("t", text % ("y" * 50_000), limits=SMALL, file_name="f.json")
        assert load.rejects.reasons == [(2, None, "too_long")]
    assert await load.rows("t", "a") == [(1,), (2,), (1,), (2,)]


@dataclass(frozen=True)
class OneLine:
    """A header, a row and one line of so many bytes, made while it is read."""

    size_bytes: int

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"a,b\n0,x\n1,"
        for _ in range(self.size_bytes // MIB):
            yield b"x" * MIB


async def test_a_line_of_300_megabytes_leaves_memory_flat(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = await opened(OneLine(300 * MIB), file_name="long.csv", options=ImportOptions())
    outcome = await load_source(source, load.outside("t"), ImportOptions())
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert (outcome.rows.read, outcome.rows.rejected) == (2, 1)
    assert load.rejects.reasons == [(3, None, "too_long")]
    assert grown_kib < 250 * 1024


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


@dataclass(frozen=True, kw_only=True)
class KnownBefore(LoadedTable):
    """A load that was told of its table a while ago."""

    known: TableContract

    async def contract(self) -> TableContract:
        return self.known


async def test_a_table_that_changed_meanwhile_is_left_alone(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    outside = KnownBefore(load, "t", known=await load.contract("t"))
    options = ImportOptions(mapping={"b": None})
    for change in ("ALTER TABLE data.t ALTER a TYPE bigint", "DROP TABLE data.t"):
        await load.owner.execute(change)
        with pytest.raises(TableChangedError):
            await load.load("t", "a,b\n1,2\n", options=options, outside=outside)


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


@only_in_full
async def test_a_file_of_nothing_but_bad_rows(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    with pytest.raises(NoRowFitsError, match="type_mismatch in a"):
        await load.load("t", "a\n" + "x\n" * 300_000)
    assert load.progress[-1].rows_rejected == 300_000
    assert load.progress[-1].reasons == (Reason("a", RejectCode.TYPE_MISMATCH, 300_000, 2),)
    assert len(load.rejects.kept) == 1000
    assert load.rejects.written.count(b"\n") == 300_001
