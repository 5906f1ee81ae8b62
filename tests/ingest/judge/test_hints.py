"""Refused cells name the options that would read them."""

import pytest

from services.ingest.judge.exact import CellError, CellReader
from shared.values.names import of_api


@pytest.mark.parametrize(
    ("kind", "text", "hint"),
    [
        ("NUMERIC", "12,50", "; `decimal=,` reads it as 12.50"),
        ("NUMERIC", "1,234", "; `decimal=,` reads it as 1.234, `thousands=,` reads it as 1234"),
        ("NUMERIC", "1.234,50", "; `decimal=, thousands=.` reads it as 1234.50"),
        ("REAL", "12.5%", "; `numbers=lenient` reads it as 0.125"),
        ("NUMERIC", "-1.234,50 €", "; `numbers=lenient decimal=,` reads it as -1234.50"),
        ("INTEGER", "1 234", "; `thousands=space` reads it as 1234"),
        ("INTEGER", "1,234", "; `thousands=,` reads it as 1234"),
        ("INTEGER", "1.5", ""),
        ("INTEGER", "x1", ""),
        ("DATE", "31.12.2024", "; `date_format=%d.%m.%Y` reads it as 2024-12-31"),
        (
            "DATE",
            "01/02/2024",
            (
                "; `date_format=%d/%m/%Y` reads it as 2024-02-01,"
                " `date_format=%m/%d/%Y` reads it as 2024-01-02"
            ),
        ),
        ("DATE", "28/02/93", "; `date_format=%d/%m/%y century_from=1930` reads it as 1993-02-28"),
        ("TIMESTAMP", "Jan 5, 2024 10:11", "; `date_format=%b %d, %Y` reads it as 2024-01-05"),
        ("TIMESTAMPTZ", "1700000000", "; `date_format=epoch_s` reads it as seconds since 1970"),
        (
            "TIMESTAMPTZ",
            "1700000000123",
            "; `date_format=epoch_ms` reads it as milliseconds since 1970",
        ),
        ("TIMESTAMPTZ", "noon", ""),
        ("BOOLEAN", "31.12.2024", ""),
    ],
)
def test_a_refused_cell_names_the_option_that_reads_it(kind: str, text: str, hint: str) -> None:
    with pytest.raises(CellError) as caught:
        CellReader(of_api(kind)).read(text)
    assert caught.value.message.partition(";")[2] == hint.removeprefix(";")
