"""Passwords: which ones are accepted, and argon2id off the event loop."""

import asyncio
import secrets
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.auth.errors import HashingBusyError
from shared.errors import InvalidInputError

SHORTEST = 12
LONGEST = 256
FEWEST_DIFFERENT = 6
LONGEST_NAME_PART = 4
"""A name of at least so many letters may not be part of a password."""
KEYBOARD_ROWS = (
    "0123456789012",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
)
COMMON_WORDS = (
    "password",
    "passwort",
    "motdepasse",
    "welcome",
    "letmein",
    "iloveyou",
    "tabularium",
)
SHORTEST_REST = 7
"""Characters that must be left without common words, rows of keys and repetitions."""


def normalised(password: str) -> str:
    """One spelling for one typed password, whatever the keyboard composes."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *, names: tuple[str, ...], field: str = "password") -> None:
    """Refuse what is guessed first; raises InvalidInputError naming the field.

    12 characters, no rule about kinds of characters (NIST SP 800-63B, ASVS 5.0 6.2). Lists of
    breached passwords hold next to nothing of that length but repetitions, rows of keys and
    common words with a tail, and those are refused by rule.
    """
    text = normalised(password)
    folded = text.casefold()
    reason = None
    if len(text) < SHORTEST:
        reason = f"at least {SHORTEST} characters"
    elif len(text) > LONGEST:
        reason = f"at most {LONGEST} characters"
    elif len(set(folded)) < FEWEST_DIFFERENT:
        reason = f"at least {FEWEST_DIFFERENT} different characters"
    elif any(name.casefold() in folded for name in names if len(name) >= LONGEST_NAME_PART):
        reason = "your name or address must not be part of it"
    elif len(_unforeseen(folded)) < SHORTEST_REST:
        reason = "too easy to guess: a common word, a row of keys or a repetition"
    if reason:
        raise InvalidInputError.of(field, "weak_password", reason)


def _unforeseen(folded: str) -> str:
    """What is left of a password without common words, rows of keys and repetitions."""
    rest = folded
    for word in COMMON_WORDS:
        rest = rest.replace(word, "")
    half = _repeated_part(rest)
    steps = {a + b for row in KEYBOARD_ROWS for a, b in pairwise(row)}
    steps |= {step[::-1] for step in steps}
    kept = [b for a, b in pairwise(" " + half) if a + b not in steps and a != b]
    return "".join(kept)


def _repeated_part(text: str) -> str:
    """`abcabc` is `abc`; what repeats nothing is itself."""
    if not text:
        return text
    return text[: (text + text).find(text, 1)]


class Passwords:
    """argon2id in a bounded pool of threads, the same work for known and unknown names."""

    def __init__(
        self, executor: ThreadPoolExecutor, *, memory_kib: int, passes: int, places: int
    ) -> None:
        self._executor = executor
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        # Verified in place of an account that is not there, so that both take equally long.
        self._absent_hash = self._hasher.hash(secrets.token_urlsafe(32))
        self._places = places
        self._taken = 0

    async def hashed(self, password: str) -> str:
        """The argon2id hash of a password. Raises HashingBusyError."""
        with self._place():
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, self._hasher.hash, normalised(password)
            )

    async def fits(self, password_hash: str | None, password: str) -> bool:
        """Whether a password fits; None, for an unknown account, takes as long.

        Raises HashingBusyError.
        """
        with self._place():
            fits = await asyncio.get_running_loop().run_in_executor(
                self._executor,
                self._verify,
                password_hash or self._absent_hash,
                normalised(password),
            )
        return fits and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._taken >= self._places:
            raise HashingBusyError("too many sign-ins at once; try again", retry_after_s=2)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


@contextmanager
def password_hashing(
    *, memory_kib: int, passes: int, threads: int, queue: int
) -> Iterator[Passwords]:
    """The process's hashing threads; `queue` sign-ins may wait for one of them."""
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="argon2") as executor:
        yield Passwords(executor, memory_kib=memory_kib, passes=passes, places=threads + queue)
