"""`{name:segment}` and `{name:int}` in a route's path; registered before any route is made."""

from urllib.parse import unquote

from starlette.convertors import IntegerConvertor, StringConvertor, register_url_convertor


class Segment(StringConvertor):
    """One path part, percent-decoded once and after routing.

    So a name may hold a slash, sent as `%2F`.
    """

    def convert(self, value: str) -> str:
        """Decode; bytes that are no UTF-8 do not come so far, `check_texts` has refused them."""
        return unquote(value)


class Digits(IntegerConvertor):
    """A whole number of any length; Starlette's own fails where Python stops reading digits."""

    def convert(self, value: str) -> int:
        """The number, or one as far beyond bigint: 20 digits are enough to tell."""
        return int(value.lstrip("0")[:20] or "0")


register_url_convertor("segment", Segment())
register_url_convertor("int", Digits())
