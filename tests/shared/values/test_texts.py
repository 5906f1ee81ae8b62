"""Texts that PostgreSQL can hold."""

import pytest

from shared.values.texts import UnstorableTextError, is_storable, readable, scrubbed, storable


@pytest.mark.parametrize("text", ["", "é", "\U0001f600", "\x01", "\uffff"])
def test_what_can_be_stored_stays(text: str) -> None:
    assert is_storable(text)
    assert storable(text) == scrubbed(text) == readable(text) == text


@pytest.mark.parametrize(("text", "code"), [("a\0b", "nul_byte"), ("lone \udfff", "bad_encoding")])
def test_what_cannot_be_stored(text: str, code: str) -> None:
    assert not is_storable(text)
    with pytest.raises(UnstorableTextError, match="NUL and lone surrogates") as refused:
        storable(text)
    assert refused.value.code == code
    assert is_storable(scrubbed(text))
    assert "\N{REPLACEMENT CHARACTER}" in readable(text)


def test_a_long_text_is_cut_to_be_shown() -> None:
    assert readable("x" * 81) == "x" * 80
