"""The pure rules: addresses, names, blocks of addresses, passwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth import otp
from services.auth.domain import client_id, email_address, limit_key, username
from services.auth.passwords import check_password
from shared.errors import InvalidInputError


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ann@EXAMPLE.com", "ann@example.com"),
        (" ann@example.com ", "ann@example.com"),
        ("ann@localhost", "ann@localhost"),
        ("ann@Corp.Local", "ann@corp.local"),
        ("ann@bücher.example.com", "ann@xn--bcher-kva.example.com"),
        ("o'neil+tag@example.com", "o'neil+tag@example.com"),
    ],
)
def test_an_address_has_one_spelling(typed: str, kept: str) -> None:
    assert email_address(typed) == kept
    assert email_address(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ann",
        "@localhost",
        "ann@",
        "a@@b.com",
        "a..b@example.com",
        "ann@exa mple.com",
        "ann@[127.0.0.1]",
        "Ann <ann@example.com>",
        "ann@example.com\nBcc: x@example.com",
        "ann@localhost\nBcc: x@localhost",
        "a\0b@example.com",
    ],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        email_address(typed)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        kept = email_address(text)
    except ValueError:
        return
    assert kept == email_address(kept)
    assert kept.isascii()
    assert "\n" not in kept


def test_names_never_look_like_addresses_or_ids() -> None:
    assert username("Zoë") == username("Zoe\u0308") == "Zoë"
    for text in ("a@b.c", "3f0c8a0e9d2b4e599b3e0d6e7a1b2c3d"):
        with pytest.raises(ValueError, match=r"\w"):
            username(text)
        with pytest.raises(ValueError, match=r"\w"):
            client_id(text)


def test_keys_of_counters_do_not_run_together() -> None:
    assert limit_key("k", "ab", "c") != limit_key("k", "a", "bc")
    assert "secret" not in limit_key("k", "secret")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "Tr0ub4dor&3 and more", "пароль не из словаря", "x7Kq!9vLm2#p"],
)
def test_good_passwords(password: str) -> None:
    check_password(password, names=("ann", "ann@example.com"))


@pytest.mark.parametrize(
    "password",
    [
        "hunter2hunter2",
        "Welcome123456",
        "zxcvbnm,asdfghjkl",
        "passwordpassword1",
        "abcdefghijklmnop",
        "1q1q1q1q1q1q1q",
        "iloveyouiloveyou",
        "987654321098",
    ],
)
def test_passwords_that_are_guessed_first(password: str) -> None:
    with pytest.raises(InvalidInputError):
        check_password(password, names=())


def test_codes_are_six_digits_and_bound_to_their_challenge() -> None:
    codes = {otp.new_code() for _ in range(2000)}
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert len(codes) > 1900
    kept = otp.code_mac("123456", challenge_id="a", pepper="p")
    assert otp.code_fits("123456", kept, challenge_id="a", pepper="p")
    assert not otp.code_fits("123456", kept, challenge_id="b", pepper="p")
    assert not otp.code_fits("123456", kept, challenge_id="a", pepper="q")
    assert not otp.code_fits("123457", kept, challenge_id="a", pepper="p")
