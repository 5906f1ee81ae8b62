r"""Patterns that PostgreSQL and Rust's `regex` (polars) read alike, out of the usual spelling.

A pattern is searched for, not matched as a whole. It is read here once and written for each engine,
so that a value that one refuses is refused by the other: without case means both cases of each
letter, classes are ASCII (`\d` is `[0-9]`), a
point is anything but a line break, `^` and `$` are the ends of the text. What one of them does not
have (lookaround, back references, `\p`, flags within) is refused by name.
"""

import re
from dataclasses import dataclass

PATTERN_LIMIT = 500
REPEAT_LIMIT = 255
"""PostgreSQL's largest bound (DUPMAX)."""
DEPTH_LIMIT = 50

_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\r\\f\\u000b"}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r\\f\\u000b",
    "upper": "A-Z",
    "word": "A-Za-z0-9_",
    "xdigit": "0-9A-Fa-f",
}
_CASES = ("lower", "upper")
METACHARACTERS = frozenset("\\.+*?()[]{}|^$")
CLASS_METACHARACTERS = frozenset("\\]^[-&~")
"""`&&`, `--` and `~~` are operators of Rust's classes; `\\<` would be an edge of a word there."""
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\x0b"}
_WORD = "[A-Za-z0-9_]"
_BOUNDS = {
    "b": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    "B": f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}
"""Word boundaries in PostgreSQL, whose own know letters beyond ASCII."""
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d{1,9})(,(\d{0,9}))?\})(\?)?")
_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_CODE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\[xu]\{([0-9A-Fa-f]{1,6})\}")
_POSIX_CLASS = re.compile(r"\[:(\^?)([a-z]+):\]")
_NAMED = re.compile(r"\?P?<[A-Za-z_][A-Za-z0-9_]*>")


class UnsupportedPatternError(ValueError):
    """A pattern that the two engines do not read alike; the message says what of it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern for both engines."""

    postgresql: str
    """An ARE of PostgreSQL, for the operator `~`."""
    rust: str
    """For Rust's `regex`, as polars has it."""


def read(pattern: str) -> Pattern:
    """The pattern for both engines; raises UnsupportedPatternError."""
    if len(pattern) > PATTERN_LIMIT:
        raise UnsupportedPatternError(f"a pattern has at most {PATTERN_LIMIT} characters")
    if "\0" in pattern:
        raise UnsupportedPatternError("a pattern holds no NUL")
    reader = _Reader(pattern)
    postgresql, rust = reader.alternatives()
    if reader.place < len(pattern):
        raise reader.unsupported("a `)` that nothing opens")
    # In a group, so that nothing at the start can be read as a directive.
    return Pattern(postgresql=f"(?:{postgresql})", rust=f"(?:{rust})")


Both = tuple[str, str]


class _Reader:
    """Recursive descent over the pattern; each step returns what it read, for both engines."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self.place = 0
        self._depth = 0
        # `(?i)`, `(?s)` or both, at the very start.
        match = _FLAGS.match(pattern)
        flags = match[1] if match else ""
        if set(flags) - {"i", "s"}:
            raise self.unsupported(f"the flags (?{flags})")
        self._any_case = "i" in flags
        self._dot_is_all = "s" in flags
        if match:
            self.place = match.end()

    def alternatives(self) -> Both:
        """What stands between brackets: branches divided by `|`."""
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self.unsupported("brackets nested so deep")
        branches = [self._branch()]
        while self._next() == "|":
            self.place += 1
            branches.append(self._branch())
        self._depth -= 1
        # An empty branch, which matches anything, is written so that both read it.
        return (
            "|".join(branch[0] or "(?:)" for branch in branches),
            "|".join(branch[1] or "(?:)" for branch in branches),
        )

    def unsupported(self, what: str) -> UnsupportedPatternError:
        """The error, with the place."""
        return UnsupportedPatternError(
            f"{what} (at character {self.place + 1}) is not read alike by all that check it"
        )

    def _next(self) -> str:
        return self._text[self.place : self.place + 1]

    def _branch(self) -> Both:
        parts: list[Both] = []
        while (character := self._next()) and character not in "|)":
            atom, may_repeat = self._atom(character)
            parts.append(self._repeated(atom, may_repeat=may_repeat))
        return "".join(part[0] for part in parts), "".join(part[1] for part in parts)

    def _repeated(self, atom: Both, *, may_repeat: bool) -> Both:
        match = _QUANTIFIER.match(self._text, self.place)
        if match is None:
            if self._next() in ("*", "+", "?"):
                raise self.unsupported("a repetition")
            return atom
        if not may_repeat:
            raise self.unsupported("a repetition of nothing")
        low = int(match[1]) if match[1] else 0
        high = int(match[3]) if match[3] else low
        if max(low, high) > REPEAT_LIMIT or low > high:
            raise self.unsupported(f"the bound {match[0]}")
        self.place = match.end()
        if self._next() in ("*", "+", "?") or _QUANTIFIER.match(self._text, self.place):
            raise self.unsupported("a repetition of a repetition")
        return atom[0] + match[0], atom[1] + match[0]

    def _atom(self, character: str) -> tuple[Both, bool]:
        if character == "(":
            return self._group(), True
        if character == "[":
            return self._class(), True
        if character == "\\":
            return self._escape()
        self.place += 1
        if character in "^$":
            return (character, character), False
        if character == ".":
            # PostgreSQL's point is a line break too.
            return ((".", "(?s:.)") if self._dot_is_all else ("[^\\n]", "[^\\n]")), True
        if character in "*+?{":
            self.place -= 1
            raise self.unsupported(f"`{character}` with nothing before it")
        return self._literal(character), True

    def _group(self) -> Both:
        self.place += 1
        if self._next() == "?":
            named = _NAMED.match(self._text, self.place)
            if self._text.startswith("?:", self.place):
                self.place += 2
            elif named is not None:
                self.place = named.end()
            else:
                raise self.unsupported(f"`({self._text[self.place : self.place + 3]}`")
        postgresql, rust = self.alternatives()
        if self._next() != ")":
            raise self.unsupported("a `(` that nothing closes")
        self.place += 1
        return f"(?:{postgresql})", f"(?:{rust})"

    def _escape(self) -> tuple[Both, bool]:
        letter = self._text[self.place + 1 : self.place + 2]
        if letter in _BOUNDS:
            self.place += 2
            # `(?-u:…)`: ASCII words, as the lookarounds have it.
            return (_BOUNDS[letter], f"(?-u:\\{letter})"), False
        if letter.lower() in _CLASSES and letter:
            self.place += 2
            listed = _CLASSES[letter.lower()]
            negated = "^" if letter.isupper() else ""
            return (f"[{negated}{listed}]", f"[{negated}{listed}]"), True
        if letter in ("A", "z"):
            self.place += 2
            return (("^", "^") if letter == "A" else ("$", "$")), False
        return self._literal(self._escaped()), True

    def _escaped(self) -> str:
        """The one character that an escape stands for."""
        letter = self._text[self.place + 1 : self.place + 2]
        if letter in _CONTROLS:
            self.place += 2
            return _CONTROLS[letter]
        if letter and not letter.isalnum() and letter != "_":
            self.place += 2
            return letter
        match = _CODE.match(self._text, self.place)
        if match is None:
            raise self.unsupported(f"`\\{letter}`")
        code = int(match[1] or match[2] or match[3], 16)
        if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise self.unsupported(f"`{match[0]}`")
        self.place = match.end()
        return chr(code)

    def _class(self) -> Both:
        self.place += 1
        negated = self._next() == "^"
        self.place += negated
        items: list[str] = []
        if self._next() == "]":
            raise self.unsupported("a class that begins with `]`")
        while (character := self._next()) != "]":
            if not character:
                raise self.unsupported("a `[` that nothing closes")
            items.append(self._item(character))
        self.place += 1
        listed = ("^" if negated else "") + "".join(items)
        return f"[{listed}]", f"[{listed}]"

    def _item(self, character: str) -> str:
        """One member of a class: a range, a character, or a class of its own."""
        posix = _POSIX_CLASS.match(self._text, self.place)
        if posix is not None:
            if posix[1] or posix[2] not in _POSIX:
                raise self.unsupported(f"`{posix[0]}`")
            self.place = posix.end()
            return _POSIX["alpha" if self._any_case and posix[2] in _CASES else posix[2]]
        if character == "\\":
            letter = self._text[self.place + 1 : self.place + 2]
            if letter in _CLASSES:
                self.place += 2
                return _CLASSES[letter]
            if letter.lower() in _CLASSES and letter:
                raise self.unsupported(f"`\\{letter}` within a class")
        low = self._member(character)
        if self._next() != "-" or self._text[self.place + 1 : self.place + 2] in ("]", ""):
            return "".join(map(_in_class, self._cases(low)))
        self.place += 1
        high = self._member(self._next())
        if ord(high) < ord(low):
            raise self.unsupported(f"the range {low}-{high}")
        return f"{_in_class(low)}-{_in_class(high)}{self._other_case(low, high)}"

    def _other_case(self, low: str, high: str) -> str:
        if not self._any_case:
            return ""
        if not high.isascii():
            raise self.unsupported(f"the range {low}-{high} in any case")
        letters = [chr(code) for code in range(ord(low), ord(high) + 1)]
        return "".join(each.swapcase() for each in letters if each.isalpha())

    def _cases(self, character: str) -> tuple[str, ...]:
        """The character, or where case does not matter both of its cases."""
        if not self._any_case:
            return (character,)
        cases = dict.fromkeys((character, character.lower(), character.upper()))
        return tuple(each for each in cases if len(each) == 1)

    def _literal(self, character: str) -> Both:
        """A character that stands for itself."""
        cases = self._cases(character)
        if len(cases) == 1:
            written = _written(character, METACHARACTERS)
        else:
            written = f"[{''.join(map(_in_class, cases))}]"
        return written, written

    def _member(self, character: str) -> str:
        if character == "\\":
            letter = self._text[self.place + 1 : self.place + 2]
            if letter.lower() in _CLASSES and letter:
                raise self.unsupported(f"`\\{letter}` in a range")
            return self._escaped()
        if character == "[":
            raise self.unsupported("`[` within a class; write `\\[`")
        self.place += 1
        return character


def _in_class(character: str) -> str:
    return _written(character, CLASS_METACHARACTERS)


def _written(character: str, escaped: frozenset[str]) -> str:
    names = {control: f"\\{letter}" for letter, control in _CONTROLS.items() if letter != "v"}
    if character in names:
        return names[character]
    if ord(character) < 0x20 or ord(character) == 0x7F:
        return f"\\u{ord(character):04x}"
    return f"\\{character}" if character in escaped else character
