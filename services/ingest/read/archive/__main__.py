"""The child process: `python -m services.ingest.read.archive PATH OPTIONS`.

Messages begin with a letter. `J` and JSON: first `{"kind", "members": [{"name", "size_bytes"}],
"member", "size_bytes"}`, where `member` is the one that is read; then `B` and its bytes, piece by
piece. An archive that cannot be read, or in which no member can be chosen, ends in
`{"code", "message"}`. Nothing is ever written under a member's name.
"""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from services.ingest.read.serving import say, send, serve

PIECE_BYTES = 1 << 20
MEMBERS_NAMED = 1_000
MEMBER_LIMIT = 100_000
DATA_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("csv", "tsv", "tab", "psv", "dat", "json", "ndjson", "jsonl"),
        *("xlsx", "xlsm", "xls", "xlsb", "ods", "parquet", "arrow", "feather"),
    )
)
"""The suffixes of what can be loaded; a lone file of another name is taken too."""
LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


class ArchiveError(Exception):
    """The archive cannot be read as it is; `code` is the problem's."""

    def __init__(
        self, message: str, *, code: str = "damaged_file", choices: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.choices = list(choices)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive; `fault` says why it is not read, of a link or an encrypted file."""

    name: str
    size_bytes: int
    fault: str | None = None
    code: str = "unsafe_member"


class Zip:
    """A ZIP archive."""

    kind = "zip"

    def __init__(self, path: str) -> None:
        self._file = zipfile.ZipFile(path)

    def members(self) -> list[Member]:
        """Its files, in order."""
        return [self._member(info) for info in self._file.infolist() if not info.is_dir()]

    def _member(self, info: zipfile.ZipInfo) -> Member:
        fault, code = _fault_of_name(info.filename), "unsafe_member"
        if stat.S_ISLNK(info.external_attr >> 16):
            fault = "is a link"
        if info.flag_bits & 0x1:
            fault, code = "is protected by a password", "encrypted_file"
        return Member(info.filename, info.file_size, fault, code)

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's bytes."""
        with self._file.open(name) as member:
            yield from _pieces(member)


class Tar:
    """A tar archive, in whatever compression."""

    kind = "tar"

    def __init__(self, path: str) -> None:
        self._path = path

    def members(self) -> list[Member]:
        """Its files and links, in order; the whole archive is read for them."""
        members: list[Member] = []
        with tarfile.open(self._path, "r:*") as archive:
            for info in archive:
                if info.isdir():
                    continue
                fault = _fault_of_name(info.name)
                if not info.isreg():
                    fault = "is a link or a device"
                members.append(Member(info.name, info.size, fault))
                if len(members) > MEMBER_LIMIT:
                    raise ArchiveError(f"the archive has more than {MEMBER_LIMIT:,} members")
                # It would keep every one that it has seen.
                archive.members = []  # type: ignore[attr-defined]
        return members

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's bytes."""
        with tarfile.open(self._path, "r:*") as archive:
            for info in archive:
                if info.name == name and info.isreg():
                    member = archive.extractfile(info)
                    assert member is not None
                    yield from _pieces(member)
                    return


def _pieces(member: IO[bytes]) -> Iterator[bytes]:
    while piece := member.read(PIECE_BYTES):
        yield piece


def _fault_of_name(name: str) -> str | None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "has a name that leads out of the archive"
    return None


def chosen(members: list[Member], wanted: str | None) -> Member:
    """The member to read; raises ArchiveError where that is not clear."""
    if wanted is not None:
        member = next((each for each in members if each.name == wanted), None)
        if member is None:
            raise ArchiveError(
                f"the archive has no member {wanted!r}; it has {_listed(members)}",
                code="unknown_member",
            )
        return _readable(member, members)
    files = [member for member in members if not _is_litter(member.name)]
    data = [each for each in files if PurePosixPath(each.name).suffix.lower() in DATA_SUFFIXES]
    found = data or files
    if not found:
        raise ArchiveError("the archive holds no file", code="empty_file")
    if len({member.name for member in found}) > 1:
        raise ArchiveError(
            f"the archive holds {len(found)} files that can be loaded: name one with `member`;"
            f" it has {_listed(found)}",
            code="member_needed",
            choices=[member.name for member in found[:MEMBERS_NAMED]],
        )
    return _readable(found[0], members)


def _readable(member: Member, members: list[Member]) -> Member:
    count = sum(each.name == member.name for each in members)
    if count > 1:
        raise ArchiveError(
            f"the archive holds {member.name!r} {count} times, and one cannot be told from the"
            " other: pack each file once",
            code="unsafe_member",
        )
    if member.fault is not None:
        raise ArchiveError(
            f"the member {member.name!r} {member.fault}; it is not read", code=member.code
        )
    return member


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(("__MACOSX", "._")) for part in parts) or parts[-1].lower() in LITTER


def _listed(members: list[Member]) -> str:
    shown = ", ".join(repr(member.name) for member in members[:20])
    return shown if len(members) <= 20 else f"{shown} and {len(members) - 20} more"


def opened(path: str) -> Zip | Tar:
    """The archive in a file."""
    return Zip(path) if zipfile.is_zipfile(path) else Tar(path)


def main(path: str, options: dict[str, Any]) -> None:
    """Read the archive; everything about it goes out as messages."""
    try:
        archive = opened(path)
        members = archive.members()
        named = [
            {"name": member.name, "size_bytes": member.size_bytes}
            for member in members[:MEMBERS_NAMED]
        ]
        member = chosen(members, options["member"]) if options["read"] else None
        about: dict[str, Any] = {"kind": archive.kind, "members": named}
        if member is not None:
            about |= {"member": member.name, "size_bytes": member.size_bytes}
        say(about, prefix=b"J")
        if member is not None:
            for piece in archive.pieces(member.name):
                send(b"B" + piece)
    except ArchiveError as exc:
        say({"code": exc.code, "message": str(exc), "choices": exc.choices}, prefix=b"J")
    except (
        *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError),
        *(NotImplementedError, RuntimeError, ValueError),
    ) as exc:
        say(
            {"code": "damaged_file", "message": f"the archive is damaged or cut off: {exc}"},
            prefix=b"J",
        )
    send(b"")


if __name__ == "__main__":
    serve(main)
