"""Archives: which member is read, and what is never read."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from services.ingest.read.confined import confined
from tests.support.workbooks import zipped

MIB = 1 << 20


def tarred(members: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    """A tar.gz of these members, and of links to places."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


async def read(
    archive: bytes, folder: Path, member: str | None = None, *, listing: bool = False
) -> tuple[dict[str, Any], bytes, dict[str, Any] | None]:
    """The first message about an archive, the bytes of its member, and the problem at the end."""
    path = folder / "archive"
    path.write_bytes(archive)
    options = {"member": member, "read": not listing, "memory_bytes": 64 * MIB, "cpu_s": 30}
    async with confined(
        "services.ingest.read.archive", (str(path), json.dumps(options))
    ) as messages:
        received = [message async for message in messages]
    said = [json.loads(message[1:]) for message in received if message[:1] == b"J"]
    content = b"".join(message[1:] for message in received if message[:1] == b"B")
    problem = next((each for each in said if "code" in each), None)
    return said[0], content, problem


@pytest.mark.parametrize("make", [zipped, tarred])
async def test_the_only_file_that_can_be_loaded_is_read(make: Any, tmp_path: Path) -> None:
    files = {
        "README": b"read me",
        "__MACOSX/._a.csv": b"?",
        ".DS_Store": b"?",
        "in/a.CSV": b"x\n1\n",
    }
    first, content, problem = await read(make(files), tmp_path)
    assert (first["member"], content, problem) == ("in/a.CSV", b"x\n1\n", None)
    assert [member["name"] for member in first["members"]] == list(files)


@pytest.mark.parametrize("make", [zipped, tarred])
async def test_of_several_files_one_is_to_be_named(make: Any, tmp_path: Path) -> None:
    files = {"a.csv": b"x\n1\n", "b.csv": b"x\n2\n"}
    problem, _, _ = await read(make(files), tmp_path)
    assert problem["code"] == "member_needed"
    assert "'a.csv', 'b.csv'" in problem["message"]
    assert "`member`" in problem["message"]
    _, content, _ = await read(make(files), tmp_path, "b.csv")
    assert content == b"x\n2\n"
    unknown, _, _ = await read(make(files), tmp_path, "c.csv")
    assert unknown["code"] == "unknown_member"
    listing, content, _ = await read(make(files), tmp_path, listing=True)
    assert (len(listing["members"]), content) == (2, b"")


@pytest.mark.parametrize("named", [None, "a.csv"])
async def test_a_name_that_is_there_twice_is_no_choice(named: str | None, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.csv", "x\n1\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a.csv", "x\n2\n")
    problem, content, _ = await read(buffer.getvalue(), tmp_path, named)
    assert (problem["code"], content) == ("unsafe_member", b"")
    assert "'a.csv' 2 times" in problem["message"]


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "in/../../a.csv", "C:\\a.csv"])
async def test_a_name_that_leads_outside_is_not_read(make: Any, name: str, tmp_path: Path) -> None:
    problem, content, _ = await read(make({name: b"x\n1\n"}), tmp_path)
    assert (problem["code"], content) == ("unsafe_member", b"")
    assert problem["message"]


async def test_links_are_not_followed(tmp_path: Path) -> None:
    archive = tarred({}, links={"a.csv": "/etc/passwd"})
    problem, content, _ = await read(archive, tmp_path)
    assert (problem["code"], content) == ("unsafe_member", b"")
    info = zipfile.ZipInfo("a.csv")
    info.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(info, "/etc/passwd")
    problem, content, _ = await read(buffer.getvalue(), tmp_path)
    assert (problem["code"], content) == ("unsafe_member", b"")


@pytest.mark.parametrize("make", [zipped, tarred])
async def test_an_archive_that_breaks_off_is_named(make: Any, tmp_path: Path) -> None:
    whole = make({"a.csv": "\n".join(str(n * 7919 % 10_007) for n in range(20_000)).encode()})
    _, _, problem = await read(whole[: len(whole) // 2], tmp_path)
    assert problem is not None
    assert problem["code"] == "damaged_file"


async def test_an_archive_without_a_file_is_empty(tmp_path: Path) -> None:
    problem, _, _ = await read(zipped({"folder/": b""}), tmp_path)
    assert problem["code"] == "empty_file"
