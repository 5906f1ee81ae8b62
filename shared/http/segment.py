"""Path convertors: `{name:segment}` and `{name:int}`; import this module before defining routes."""

from urllib.parse import unquote

from starlette.convertors import IntegerConvertor, StringConvertor, register_url_convertor


class Segment(StringConvertor):
    """One path segment, percent-decoded once and after routing: a name may contain `%2F`."""

    def convert(self, value: str) -> str:
        """Decode; `check_texts` has refused bytes that are not UTF-8."""
        return unquote(value)


class Digits(IntegerConvertor):
    """An integer of any length; Starlette's convertor raises above 4,300 digits."""

    def convert(self, value: str) -> int:
        """The number; one of more than 20 digits is cut to 20, which is still beyond bigint."""
        return int(value.lstrip("0")[:20] or "0")


register_url_convertor("segment", Segment())
register_url_convertor("int", Digits())
