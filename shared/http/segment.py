"""`{name:segment}` in a route's path; registered by importing this, before any route is made."""

from urllib.parse import unquote

from starlette.convertors import StringConvertor, register_url_convertor


class Segment(StringConvertor):
    """One path part, percent-decoded once and after routing.

    So a name may hold a slash, sent as `%2F`.
    """

    def convert(self, value: str) -> str:
        """Decode; bytes that are no UTF-8 become U+FFFD, which no name of ours holds."""
        return unquote(value)


register_url_convertor("segment", Segment())
