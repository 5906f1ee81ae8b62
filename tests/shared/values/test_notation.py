"""Numbers and dates in other notations than the type table's own."""

from datetime import date
from typing import Any

import pytest

from shared.values.dates import DateFormat
from shared.values.faults import Cause, Fault
from shared.values.grammar import read
from shared.values.names import of_api
from shared.values.notation import Notation
from shared.values.number_formats import NumberFormat

COMMA, GROUPS = NumberFormat(decimal=","), NumberFormat(decimal=",", thousands=".")
LENIENT = NumberFormat(lenient=True)


@pytest.mark.parametrize(
    ("numbers", "text", "plain"),
    [
        (COMMA, "-1234,50", "-1234.50"),
        (COMMA, "1.234,50", None),
        (COMMA, "1.5", None),
        (GROUPS, "1.234.567,50", "1234567.50"),
        (GROUPS, "1.234", "1234"),
        (GROUPS, "1234", "1234"),
        (GROUPS, "12.34", None),
        (GROUPS, "0.123", None),
        (GROUPS, "-012.345", None),
        (GROUPS, "0,123", "0.123"),
        (GROUPS, "10.000", "10000"),
        (GROUPS, "1.2345,0", None),
        (NumberFormat(thousands=" "), "1\u202f234\u202f567.5", "1234567.5"),
        (NumberFormat(thousands=" "), "1 234\u00a0567", None),
        (NumberFormat(thousands="'"), "1\u2019234", "1234"),
        (NumberFormat(thousands=","), "12,34,567", None),
        (LENIENT, "12,34,567", "1234567"),
        (LENIENT, "$1,234.50", "1234.50"),
        (LENIENT, "-$5", "-5"),
        (LENIENT, "5 €", "5"),
        (LENIENT, "(1,234.50)", "-1234.50"),
        (LENIENT, "12.50-", "-12.50"),
        (LENIENT, "\u22125", "-5"),
        (LENIENT, "12%", "12e-2"),
        (LENIENT, "12.5 %", "12.5e-2"),
        (LENIENT, "(-5)", None),
        (LENIENT, "1,23", None),
        (LENIENT, "0,123", None),
        (LENIENT, "01,23,456", None),
        (LENIENT, "5 EUR", None),
        (NumberFormat(decimal=",", lenient=True), "1.234,50 €", "1234.50"),
        (NumberFormat(decimal=",", thousands=" ", lenient=True), "1.234", None),
        (LENIENT, "NaN", "NaN"),
        (NumberFormat(), "1,5", "1,5"),
        (NumberFormat(",", ".", beside_plain=True), "1.5", "1.5"),
        (NumberFormat(",", ".", beside_plain=True), "1,5", "1.5"),
        (NumberFormat(",", ".", beside_plain=True), "1.234", None),
        (NumberFormat(",", ".", beside_plain=True), "1234", "1234"),
        (NumberFormat(",", beside_plain=True), "1.234", "1.234"),
    ],
)
def test_numbers_are_rewritten_digit_by_digit(
    numbers: NumberFormat, text: str, plain: str | None
) -> None:
    assert numbers.plain(text) == plain


@pytest.mark.parametrize(
    ("formats", "kind", "text", "value"),
    [
        ("%d.%m.%Y", "DATE", "31.12.2024", "2024-12-31"),
        ("%d.%m.%Y", "DATE", "1.2.2024", "2024-02-01"),
        ("%d.%m.%Y", "DATE", "2024-02-01", "2024-02-01"),
        ("%d.%m.%Y", "DATE", "31.12.2024 00:00", "2024-12-31"),
        ("%d.%m.%Y", "DATE", "31.12.2024 00:01", Cause.SHAPE),
        ("%d.%m.%Y", "DATE", "31.11.2024", Cause.DAY),
        ("DD.MM.YYYY", "DATE", "31.12.2024", "2024-12-31"),
        ("%m/%d/%Y", "TIMESTAMP", "12/31/2024 11:59 PM", "2024-12-31 23:59:00"),
        ("%m/%d/%Y %I:%M %p", "TIMESTAMP", "1/2/2024 12:05:06 am", "2024-01-02 00:05:06"),
        ("%m/%d/%Y", "TIMESTAMP", "1/2/2024, 9:05:00\u202fPM", "2024-01-02 21:05:00"),
        ("%m/%d/%Y", "TIMESTAMP", "1/2/2024 13:05 PM", Cause.CLOCK),
        ("%m/%d/%Y", "TIMESTAMPTZ", "1/2/2024 9:05 +02", "2024-01-02 07:05:00"),
        ("%m/%d/%Y", "DATE", "1/2/2024 12:00:00 AM", "2024-01-02"),
        ("%d/%m/%Y|%m/%d/%Y", "DATE", "31/12/2024", "2024-12-31"),
        ("%d/%m/%Y|%m/%d/%Y", "DATE", "12/31/2024", "2024-12-31"),
        ("%d/%m/%Y|%m/%d/%Y", "DATE", "01/01/2024", "2024-01-01"),
        ("%d/%m/%Y|%m/%d/%Y", "DATE", "01/02/2024", Cause.TWO_DAYS),
        ("%d.%m.%Y|%B %d, %Y", "DATE", "February 3, 2024", "2024-02-03"),
        ("%Y%m%d", "DATE", "20240103", "2024-01-03"),
        ("%Y%m%d", "DATE", "2024013", Cause.SHAPE),
        ("DDMMYYYY", "DATE", "1012024", Cause.SHAPE),
        ("%d%b%Y", "DATE", "5Jan2024", "2024-01-05"),
        ("%Y-%m%d", "DATE", "2024-113", Cause.SHAPE),
        ("%Y-%d-%m", "DATE", "2024-31-12", "2024-12-31"),
        ("%Y-%d-%m", "DATE", "2024-12-31", Cause.DAY),
        ("epoch_s", "TIMESTAMPTZ", "1700000000", "2023-11-14 22:13:20"),
        ("epoch_s", "TIMESTAMP", "-0.5", "1969-12-31 23:59:59.500000"),
        ("epoch_ms", "TIMESTAMPTZ", "1700000000123", "2023-11-14 22:13:20.123000"),
        ("epoch_s", "TIMESTAMPTZ", "2024-01-05T10:11Z", "2024-01-05 10:11:00"),
        ("epoch_s", "TIMESTAMPTZ", "99999999999999999", Cause.SHAPE),
        ("epoch_s", "DATE", "86400", "1970-01-02"),
        ("epoch_s", "DATE", "86401", Cause.SHAPE),
    ],
)
def test_dates_in_formats_of_their_own(formats: str, kind: str, text: str, value: Any) -> None:
    found = read(of_api(kind), text, Notation(dates=DateFormat(formats)))
    assert (found.cause if isinstance(found, Fault) else str(found)) == value


def test_two_digit_years_lie_in_the_hundred_that_begins_with_century_from() -> None:
    notation = Notation(dates=DateFormat("%d/%m/%y", 1930))
    years = {text: read(of_api("DATE"), f"28/02/{text}", notation) for text in ("29", "30", "99")}
    assert years == {
        "29": date(2029, 2, 28), "30": date(1930, 2, 28), "99": date(1999, 2, 28),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("formats", "reason"),
    [
        ("%d/%m/%y", "century_from"),
        ("YY-MM-DD", "century_from"),
        ("%d.%m", "a year"),
        ("%d.%m.%Y %d", "%d cannot stand here"),
        ("%H:%M", "%H cannot stand here"),
        ("%j %Y", "%j cannot stand here"),
        ("", "a year"),
        ("%d.%m.%Y|", "a year"),
        ("epoch_s|epoch_ms", "seconds or milliseconds"),
    ],
)
def test_formats_that_cannot_say_a_day(formats: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        DateFormat(formats)
