"""A member of an archive as stored bytes of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.ingest.domain.options import ImportOptions
from services.ingest.read.children import child_reading, said
from services.ingest.read.head import Head
from services.ingest.read.kinds import ARCHIVES, kind_of
from services.ingest.read.source import StoredBytes, local_file

MODULE = "services.ingest.read.archive"


@dataclass(frozen=True, slots=True)
class MemberBytes:
    """One file in an archive, read from its start as often as asked."""

    archive: StoredBytes
    head: Head
    name: str
    kind: str
    size_bytes: int
    members: tuple[str, ...]
    """The names of the archive's files, of which this is one."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The member's bytes; raises FileRefusedError."""
        options = {"member": self.name, "read": True}
        async with child_reading(
            MODULE, local_file(self.archive), options, self.head.limits
        ) as messages:
            async for message in messages:
                if message[:1] == b"B":
                    yield bytes(memoryview(message)[1:])
                else:
                    said(message[1:])


def is_archive(head: Head) -> bool:
    """Whether these are the first bytes of a ZIP file or a tar archive."""
    return kind_of(head.data) in ARCHIVES


def is_zip(head: Head) -> bool:
    """Whether it is a ZIP file, which compresses by itself what is in it."""
    return head.data.startswith(b"PK")


async def member_of(archive: StoredBytes, head: Head, options: ImportOptions) -> MemberBytes:
    """The member that `member` names, or the only one; raises FileRefusedError."""
    asked = {"member": options.member, "read": True}
    async with child_reading(MODULE, local_file(archive), asked, head.limits) as messages:
        about = said((await anext(messages))[1:])
    names = tuple(member["name"] for member in about["members"])
    return MemberBytes(archive, head, about["member"], about["kind"], about["size_bytes"], names)
