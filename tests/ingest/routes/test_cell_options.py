"""Form fields that say how cells are written."""

import pytest

from services.ingest.domain.options import Numbers
from services.ingest.routes.forms import import_request
from shared.errors import InvalidInputError


def test_fields_become_options() -> None:
    fields = {
        "table": "t",
        "date_format": "%d.%m.%y|epoch_ms",
        "century_from": "1930",
        "decimal": "comma",
        "thousands": "point",
        "numbers": "lenient",
    }
    options = import_request(fields).options
    assert (options.date_format, options.century_from) == ("%d.%m.%y|epoch_ms", 1930)
    assert (options.decimal, options.thousands, options.numbers) == (",", ".", Numbers.LENIENT)
    plain = import_request({"table": "t", "decimal": "auto", "thousands": "space"}).options
    assert (plain.decimal, plain.thousands, plain.numbers) == (None, " ", Numbers.PLAIN)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"date_format": "%d/%m/%y"}, "date_format", "century_from"),
        ({"date_format": "%d.%m"}, "date_format", "a year"),
        ({"date_format": "%d.%m.%Y {x}%q"}, "date_format", "%q cannot stand here"),
        ({"date_format": "epoch_s|epoch_ms"}, "date_format", "seconds or milliseconds"),
        ({"century_from": "0"}, "century_from", "greater than or equal to 1"),
        ({"decimal": ";"}, "decimal", "'auto', '.' or ','"),
        ({"thousands": "."}, "thousands", "name both"),
        ({"thousands": ",", "decimal": ","}, "thousands", "name both"),
        ({"thousands": ".."}, "thousands", "one character"),
        ({"thousands": "5"}, "thousands", "one character"),
        ({"thousands": "-"}, "thousands", "one character"),
        ({"numbers": "sloppy"}, "numbers", "'plain' or 'lenient'"),
        ({"mapping": '{"a": "x", "a": "y"}'}, "mapping", "'a' is there twice"),
        ({"types": '{"a": "TEXT", "a": "DATE"}'}, "types", "'a' is there twice"),
        ({"mapping": "[" * 100_000}, "mapping", "nested too deeply"),
        ({"mapping": "{a: 1}"}, "mapping", '{"Full name": "name"}'),
        ({"types": "{a: TEXT}"}, "types", '{"zip": "TEXT"}'),
    ],
)
def test_what_is_no_option_is_named(fields: dict[str, str], field: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        import_request({"table": "t", **fields})
    (error,) = caught.value.errors
    assert error.field == field
    assert message in error.message
