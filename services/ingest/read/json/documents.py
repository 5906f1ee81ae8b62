"""JSON documents that are objects, and no records: answers that something failed, and columns."""

import re

from shared.values.numbers import JsonValue

_REASONS = frozenset(
    {"error", "errors", "error_message", "error_description", "exception", "fault"}
)
"""Members that say what failed, where they have a value."""
_TEXTS = frozenset({"message", "messages", "msg", "detail", "details", "title", "reason"})
_ALONE = frozenset({"message", "msg", "detail", "documentation_url"})
_STATES = frozenset({"status", "statuscode", "status_code", "code", "success", "ok"})
_BESIDE = frozenset({"data", "result", "extensions", "help", "path", "method", "type", "instance"})
_TRACED = frozenset(
    {"timestamp", "time", "trace", "traceid", "trace_id", "requestid", "request_id"}
)
_CODES = frozenset({"error_code", "errorcode", "error_uri", "retry_after", "documentation_url"})
_MEMBERS = _REASONS | _TEXTS | _STATES | _BESIDE | _TRACED | _CODES
_HTTP_STATUS = re.compile("[1-5][0-9]{2}", re.ASCII)
_FIRST_OF_FAILURES = 400
_FEWEST = 2


def says_failure(document: JsonValue) -> bool:
    """Whether a document is an object of such members alone, and they speak of a failure.

    As RFC 9457 (problem details), RFC 6749 5.2, GraphQL and the usual frameworks write them.
    """
    if not isinstance(document, dict):
        return False
    members = {name.lower(): value for name, value in document.items()}
    if not members or not _MEMBERS.issuperset(members) or members.get("data"):
        return False
    if any(members.get(name) for name in _REASONS) or _ALONE.issuperset(members):
        return True
    states = [members[name] for name in _STATES & members.keys()]
    texts = any(isinstance(members.get(name), str) for name in _TEXTS)
    return texts and bool(states) and all(_is_of_failure(state) for state in states)


def _is_of_failure(state: JsonValue) -> bool:
    if isinstance(state, bool):
        return not state
    if isinstance(state, str) and _HTTP_STATUS.fullmatch(state):  # numbers are read as text
        return int(state) >= _FIRST_OF_FAILURES
    return isinstance(state, str) and state.lower() in ("error", "fail", "failed", "failure")


def by_keys(document: JsonValue) -> bool:
    """Whether a document holds columns or rows by their names, as `DataFrame.to_json` writes it.

    Its members are two or more objects with the same keys, or arrays of one length.
    """
    if not isinstance(document, dict) or len(document) < _FEWEST:
        return False
    first, *others = document.values()
    if isinstance(first, dict):
        return bool(first) and all(
            isinstance(each, dict) and each.keys() == first.keys() for each in others
        )
    return (
        isinstance(first, list)
        and len(first) >= _FEWEST
        and all(isinstance(each, list) and len(each) == len(first) for each in others)
    )
