"""Names as text of a picture: without what XML cannot hold, and as long as there is room."""

import unicodedata
from collections.abc import Iterable

LETTER_PX = 7.6
"""Width of a letter of 13 px in the usual sans-serif fonts, rather too much than too little."""
LABEL_LIMIT = 64
"""Letters (wide ones count twice) after which a label is cut; its tooltip has the whole name."""


def width_px(label: str) -> float:
    """How wide a label is drawn, rather too much than too little."""
    return _letters(label) * LETTER_PX


def clean(name: str) -> str:
    """A name without the control characters that XML cannot hold, nor what turns text around."""
    return "".join(
        "\ufffd" if unicodedata.category(letter) in ("Cc", "Cf", "Cn", "Cs") else letter
        for letter in name
    )


def cut(label: str, *, limit: int = LABEL_LIMIT) -> str:
    """A label short enough for its box."""
    taken = ""
    for letter in label:
        if _letters(taken + letter) > limit:
            return taken + "…"
        taken += letter
    return label


def _letters(text: Iterable[str]) -> int:
    """Letters; those that East Asian fonts draw wide count twice."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
