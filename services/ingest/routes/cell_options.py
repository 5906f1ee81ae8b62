"""The options by which a file's cells are read: dates, numbers and what means NULL."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from services.ingest.domain.options import Numbers
from shared.contracts.base import RequestModel, StorableText
from shared.values.dates import DateFormat

MARK_NAMES = {"point": ".", "comma": ",", "space": " ", "apostrophe": "'"}


def _mark(value: object) -> object:
    return MARK_NAMES.get(value, value) if isinstance(value, str) else value


def _date_format(value: str | None, info: ValidationInfo) -> str | None:
    try:
        DateFormat(value, info.data.get("century_from"))
    except ValueError as exc:
        raise PydanticCustomError("invalid_option", "{reason}", {"reason": str(exc)}) from exc
    return value


def _thousands(value: str | None, info: ValidationInfo) -> str | None:
    decimal = info.data.get("decimal", "auto")
    if value is None:
        return None
    if len(value) != 1 or value.isalnum() or value in "\r\n\t\0+-()":
        raise PydanticCustomError(
            "one_character", "send one character, or `point`, `comma`, `space`, `apostrophe`"
        )
    if value == ("." if decimal == "auto" else decimal):
        raise PydanticCustomError(
            "invalid_option", "it stands before decimals: name both, `decimal` and `thousands`"
        )
    return value


class CellOptions(RequestModel):
    """How the cells of a file are written."""

    century_from: Annotated[
        int | None,
        Field(ge=1, le=9900, description="The first of the 100 years that `%y` means: 1930."),
    ] = None
    date_format: Annotated[
        StorableText | None,
        AfterValidator(_date_format),
        Field(
            description="How dates are written: `%d.%m.%Y`, several with `|` between them; or"
            " `epoch_s`, `epoch_ms` for numbers since 1970."
        ),
    ] = None
    decimal: Annotated[
        Literal["auto", ".", ","],
        BeforeValidator(_mark),
        Field(description="Before decimals; auto is a comma only where the file proves it."),
    ] = "auto"
    thousands: Annotated[
        str | None,
        BeforeValidator(_mark),
        AfterValidator(_thousands),
        Field(description="Between groups of digits: `.`, `,`, `space`, `apostrophe`."),
    ] = None
    numbers: Annotated[
        Numbers,
        Field(
            description="lenient also takes currency signs, groups of digits, parentheses or a"
            " minus behind for negatives, and percent."
        ),
    ] = Numbers.PLAIN
