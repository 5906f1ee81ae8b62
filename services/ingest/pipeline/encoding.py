"""Which encoding a file is in: by its BOM, as strict UTF-8, or by a guess that must be sure."""

import codecs
from dataclasses import dataclass

from services.ingest.pipeline.decoding import codec_name
from services.ingest.pipeline.refusals import EncodingNeededError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class EncodingFound:
    """A Python codec, and the bytes of the mark before the text."""

    codec: str
    bom_bytes: int = 0


def encoding_of(head: bytes, named: str | None, *, complete: bool) -> EncodingFound:
    """The encoding of a file with this head; raises EncodingNeededError, UnknownEncodingError."""
    for bom, codec in _BOMS:
        if head.startswith(bom):
            return EncodingFound(codec, len(bom))
    if named is not None:
        return EncodingFound(codec_name(named))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, complete)
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise EncodingNeededError.of(
            "encoding", "encoding_needed", f"line {line} is not UTF-8; name the file's encoding"
        ) from error
    return EncodingFound("utf-8")
