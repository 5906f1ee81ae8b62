"""Which encoding a file is in: by its BOM, as strict UTF-8, or by a guess that is sure.

Only multi-byte encodings are guessed: their bytes hang together, so that text read in the wrong
one looks wrong. A guess between one-byte encodings would change letters silently.
"""

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

from services.ingest.read.csv.quoting import SWAPPED
from services.ingest.read.errors import (
    DamagedFileError,
    EncodingContradictedError,
    EncodingNeededError,
    UnknownEncodingError,
)
from shared.contracts.problem import FieldError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MULTI_BYTE = ("gb18030", "cp932", "cp949", "big5", "euc_jp")
_ONE_BYTE = ("windows-1252", "windows-1250", "windows-1251", "iso-8859-15", "koi8-r", "macroman")
_SPELLED = {"cp932": "shift_jis", "cp949": "euc-kr", "euc_jp": "euc-jp"}
_SAMPLE_BYTES = 65_536
_SHOWN = 40
_SURE_SHARE = 0.95
_SURE_LEAD = 0.04
_LEAST_LETTERS = 4
_TELLING_LETTERS = 8
_CONTROL_BYTES = re.compile(b"[\x80-\x9f]")
_CONTROLS = re.compile("[\x80-\x9f]")
_NOT_FOR_FILES = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}
)
MARK = "\udcff"
"""Stands for bytes that are no text; in UTF-8 it becomes the byte FF, which no text has."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return MARK, error.end


codecs.register_error("tabularium.mark", _mark)


def codec_name(encoding: str) -> str:
    """Python's name of an encoding; raises UnknownEncodingError."""
    try:
        found = codecs.lookup(encoding.strip())
        found.incrementaldecoder().decode(
            b"a\0\0\0", final=True
        )  # four bytes: a whole letter in any
    except (LookupError, ValueError, TypeError, AssertionError):
        found = None
    # `hex`, `rot13` and the like are codecs, but not of text; CPython itself asks it so.
    if found is None or found.name in _NOT_FOR_FILES or not getattr(found, "_is_text_encoding", 1):
        raise UnknownEncodingError.of(
            "encoding", "unknown_encoding", f"'{encoding[:40]}' is no encoding that can be read"
        )
    return found.name


@dataclass(frozen=True, slots=True)
class EncodingFound:
    """A Python codec, and the bytes of the mark before the text.

    `proven` is False while nothing but ASCII was seen: any encoding may follow. `controls`: the
    control characters that ISO 8859 has at 80 to 9F are text.
    """

    codec: str
    bom_bytes: int = 0
    proven: bool = True
    controls: bool = False


def encoding_of(
    head: bytes, named: str | None, *, complete: bool, force: bool = False
) -> EncodingFound:
    """The encoding of a file with this head.

    `complete`: nothing follows, so a character cut off at the end is wrong. `force`: the named
    one holds whatever the bytes are. Raises EncodingNeededError, UnknownEncodingError,
    EncodingContradictedError.
    """
    for bom, codec in _BOMS:
        if head.startswith(bom):
            return EncodingFound(codec, len(bom))
    if named is not None:
        codec = codec_name(named)
        sure = force or not _is_one_byte(codec)
        if not sure:
            refuse_contradiction(head, codec, complete=complete)
        return EncodingFound(codec, proven=sure or not head.isascii(), controls=force)
    if (wide := _without_bom(head)) is not None:
        return EncodingFound(wide)
    if is_utf8(head, complete=complete) or mostly_utf8(tally(head)):
        return EncodingFound("utf-8", proven=not head.isascii())
    return guessed(head, complete=complete)


def refuse_contradiction(text: bytes, codec: str, *, complete: bool) -> None:
    """Raise EncodingContradictedError where text is hardly in the one-byte encoding named for it.

    It is UTF-8 with letters, or in windows-1252 or the like, whose signs are controls in ISO 8859.
    """
    if text.isascii():
        return
    wrong = ""
    if is_utf8(text, complete=complete):
        letters = [c for c in text.decode(errors="ignore") if not c.isascii() and c.isalpha()]
        if letters:
            read = letters[0].encode().decode(codec, errors="replace")
            wrong = f"the file is in UTF-8: '{letters[0]}' would become '{read}' in {codec}."
    if not wrong and has_controls(codec) and (found := _CONTROL_BYTES.search(text)):
        sign = found[0].decode("cp1252", errors="replace")
        wrong = (
            f"the byte {found[0].hex().upper()} is a control character in {codec} and '{sign}' in"
            " windows-1252: name that one, or"
        )
    if wrong:
        leave = " Leave `encoding` out, or" if wrong.endswith(".") else ""
        raise EncodingContradictedError.of(
            "encoding",
            EncodingContradictedError.code,
            f"{wrong}{leave} send `force_encoding=true` if that is meant",
        )


def has_controls(codec: str) -> bool:
    """Whether the bytes 80 to 9F are control characters, as in ISO 8859."""
    return bytes((0x80, 0x9F)).decode(codec, errors="replace") == "\x80\x9f"


def _is_one_byte(codec: str) -> bool:
    """Whether every byte is a character."""
    if codecs.lookup(codec).name.startswith("utf"):
        return False
    try:
        return len(bytes(range(32, 127)).decode(codec)) == 95 and not any(
            len(bytes((byte, 65)).decode(codec, errors="replace")) < 2 for byte in range(128, 256)
        )
    except UnicodeError:
        return False


def tally(text: bytes) -> tuple[int, int]:
    """How many lines that are not ASCII are UTF-8, and how many are not."""
    lines = [line for line in text.split(b"\n") if not line.isascii()]
    valid = sum(is_utf8(line, complete=True) for line in lines)
    return valid, len(lines) - valid


def mostly_utf8(lines: tuple[int, int]) -> bool:
    """Whether it is UTF-8 with some lines that are not, which are refused then."""
    valid, invalid = lines
    return valid > invalid


def guessed(head: bytes, *, complete: bool) -> EncodingFound:
    """The one multi-byte encoding in which the text looks like text.

    Raises EncodingNeededError.
    """
    guess = _guess(head, complete=complete)
    if guess is None:
        raise _needed(head)
    return EncodingFound(guess)


def _without_bom(head: bytes) -> str | None:
    """UTF-16 without its mark: Latin text has a NUL in every second byte."""
    sample = head[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half < 8 or max(even, odd) < 0.4 * half or min(even, odd) > 0.05 * half:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def is_utf8(text: bytes, *, complete: bool) -> bool:
    """Whether text is UTF-8; unless it is complete, a character may be cut off at its end."""
    return _decodes(text, "utf-8", complete=complete)


def _decodes(head: bytes, codec: str, *, complete: bool) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(head, complete)
    except UnicodeDecodeError:
        return False
    return True


def _guess(head: bytes, *, complete: bool) -> str | None:
    """The one multi-byte encoding in which the text looks like text, if there is only one."""
    sample = _telling_lines(head)
    found = from_bytes(sample, cp_isolation=list(_MULTI_BYTE))
    chaos = {match.encoding: match.chaos for match in found}
    texts = {
        codec: sample.decode(codec, errors="ignore")
        for codec in chaos
        if _decodes(head, codec, complete=complete)
    }
    shares = {codec: _common_share(text, codec) for codec, text in texts.items()}
    best = max(
        shares, key=lambda codec: (shares[codec], _own_letters(texts[codec], codec)), default=""
    )
    if not best or shares[best] < _SURE_SHARE or chaos[best] > min(chaos.values()) + 0.1:
        return None
    rivals = [codec for codec in shares if shares[codec] > shares[best] - _SURE_LEAD]
    # Chinese shares its bytes with both; it would not hit their own letters so often.
    telling = [codec for codec in rivals if _own_letters(texts[codec], codec)]
    if len(rivals) > 1:
        if len(telling) != 1:
            return None
        best = telling[0]
    letters = [character for character in texts[best] if not character.isascii()]
    return best if len(letters) >= _LEAST_LETTERS else None


def _own_letters(text: str, codec: str) -> bool:
    """Whether the text is in letters that only this encoding's language has: Hangul, or Kana."""
    letters = [character for character in text if not character.isascii()]
    if codec == "cp949":
        own, least = sum("\uac00" <= c <= "\ud7a3" for c in letters), 0.9
    elif codec in ("cp932", "euc_jp"):
        own, least = sum("\u3041" <= c <= "\u30fe" for c in letters), 0.3
    else:
        return False
    return len(letters) >= _TELLING_LETTERS and own >= least * len(letters)


def _telling_lines(head: bytes) -> bytes:
    """Lines that are not ASCII, some kilobytes of them."""
    lines: list[bytes] = []
    size = 0
    for line in head.split(b"\n")[:-1] or [head]:
        if not line.isascii():
            lines.append(line[:4096])
            size += len(line)
            if size > _SAMPLE_BYTES:
                break
    return b"\n".join(lines or [head[:_SAMPLE_BYTES]])


def _common_share(text: str, codec: str) -> float:
    """The share of characters, apart from ASCII, that are everyday ones in the encoding."""
    characters = [character for character in text if not character.isascii()]
    if not characters:
        return 0.0
    common = {character for character in set(characters) if _is_common(character, codec)}
    return sum(character in common for character in characters) / len(characters)


def _is_common(character: str, codec: str) -> bool:
    """Whether a character is of the level of its standard that everyday text is written with."""
    base = {"gb18030": "gb2312", "cp949": "euc_kr", "euc_jp": "cp932"}.get(codec, codec)
    try:
        encoded = character.encode(base)
    except UnicodeEncodeError:
        return False
    if len(encoded) != 2:
        return False
    lead = encoded[0]
    if base == "gb2312":
        return lead in (0xA1, 0xA3) or 0xB0 <= lead <= 0xD7
    if base == "big5":
        return 0xA1 <= lead <= 0xC6
    if base == "euc_kr":
        return lead in (0xA1, 0xA3) or 0xB0 <= lead <= 0xC8
    return lead in (0x81, 0x82, 0x83) or 0x88 <= lead <= 0x97


def _needed(head: bytes) -> EncodingNeededError:
    """The refusal, with the first telling piece of text read in each candidate."""
    try:
        head.decode()
        at = 0
    except UnicodeDecodeError as error:
        at = error.start
    line = head.count(b"\n", 0, at) + 1
    start = max(head.rfind(b"\n", 0, at) + 1, at - _SHOWN // 2)
    sample = head[start : at + _SHOWN].split(b"\n")[0].strip()
    readings = [
        f"{_SPELLED.get(codec, codec)}: '{sample.decode(codec)}'"
        for codec in (*_ONE_BYTE, *_MULTI_BYTE)
        if _decodes(sample, codec, complete=True)
        and not (has_controls(codec) and _CONTROL_BYTES.search(sample))
    ]
    detail = (
        f"line {line} is not UTF-8; send the file again with `encoding`. The text there is, in "
        + "; ".join(readings)
    )
    return EncodingNeededError(
        detail,
        errors=[FieldError(field="encoding", code=EncodingNeededError.code, message=detail)],
    )


class Transcoder:
    """Text in some encoding becomes UTF-8; bytes that are no text become the byte FF.

    So do the control characters of ISO 8859 beyond ASCII, which are letters of another encoding,
    unless the encoding was found to have them. `swapped`: a delimiter of several bytes, which
    becomes `quoting.SWAPPED`. `bare_cr`: lines end with CR alone, as on old Macs, and get a LF
    instead.
    """

    def __init__(
        self,
        encoding: EncodingFound,
        *,
        swapped: bytes | None = None,
        bare_cr: bool = False,
    ) -> None:
        self._skip = encoding.bom_bytes
        self._swapped = swapped
        self._bare_cr = bare_cr
        self._rest = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._marks_controls = False
        if encoding.codec != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding.codec)(errors="tabularium.mark")
            self._marks_controls = has_controls(encoding.codec) and not encoding.controls

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """The next piece; `final` ends the stream."""
        if self._skip:
            skipped = min(self._skip, len(data))
            data, self._skip = data[skipped:], self._skip - skipped
        if self._decoder is not None:
            text = self._decoder.decode(data, final)
            if self._marks_controls:
                text = _CONTROLS.sub(MARK, text)
            data = text.encode("utf-8", "surrogateescape")
        if self._bare_cr:
            data = data.replace(b"\r", b"\n")
        return data if self._swapped is None else self._swap(data, self._swapped, final=final)

    def _swap(self, data: bytes, swapped: bytes, *, final: bool) -> bytes:
        data, self._rest = self._rest + data, b""
        if SWAPPED in data:
            raise DamagedFileError(
                "with a delimiter outside ASCII the file must not hold the character U+001F"
            )
        if not final:  # a character may be cut in two
            for size in range(len(swapped) - 1, 0, -1):
                if data.endswith(swapped[:size]):
                    data, self._rest = data[:-size], data[-size:]
                    break
        return data.replace(swapped, SWAPPED)
