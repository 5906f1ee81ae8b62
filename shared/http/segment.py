"""`{name:segment}` and `{name:int}` in a route's path; registered before any route is made."""

from urllib.parse import unquote

from starlette.convertors import IntegerConvertor, StringConvertor, register_url_convertor


class Segment(StringConvertor):
    """One path part, percent-decoded once and after routing.

    So a name may hold a slash, sent as `%2F`.
    """

    def convert(self, value: str) -> str:
        """Decode; bytes that are no UTF-8 become U+FFFD, which no name of ours holds."""
        return unquote(value)


class Digits(IntegerConvertor):
    """A whole number that a bigint may hold; Starlette's own fails where Python stops reading."""

    regex = "[0-9]{1,19}"


register_url_convertor("segment", Segment())
register_url_convertor("int", Digits())
