"""The end of a JSON value that is not read: it is too large, or nested too deep."""

import re

from shared.values.numbers import VALUES_LIMIT, values_at_most

_STRING = re.compile(r'(?:[^"\\]|\\.)*+', re.DOTALL)
_PLAIN = re.compile(r'[^"{}\[\]]*+')
_SCALAR = re.compile(r"[^,\]\s]*+")


def has_too_many_values(text: str) -> bool:
    """Whether a text may hold so many values that they are not to be parsed."""
    return values_at_most(text) > VALUES_LIMIT


class ValueEnd:
    """Finds where a value ends whose text comes in pieces; nothing of it is kept."""

    def __init__(self) -> None:
        self._begun = False
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def within(self, text: str, position: int) -> int | None:
        """The place behind the value, whose text goes on at `position`; None: further on."""
        while position < len(text):
            if self._in_string:
                position = self._string(text, position)
                if self._in_string or self._depth:
                    continue
                return position
            if not self._begun and text[position] not in '"{[':
                position = _end(_SCALAR, text, position)
                return position if position < len(text) else None
            if self._begun:
                position = _end(_PLAIN, text, position)
                if position == len(text):
                    return None
            self._begun = True
            mark = text[position]
            position += 1
            if mark == '"':
                self._in_string = True
                continue
            self._depth += 1 if mark in "{[" else -1
            if self._depth <= 0:
                return position
        return None

    def _string(self, text: str, position: int) -> int:
        """The place behind the string, or behind what there is of it."""
        if self._escaped:
            self._escaped = False
            return position + 1
        end = _end(_STRING, text, position)
        if end == len(text):
            return end
        if text[end] == "\\":  # what it escapes is in the next piece
            self._escaped = True
        else:
            self._in_string = False
        return end + 1


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    assert match is not None
    return match.end()
