"""JSON that keeps the digits of its numbers."""

import json
from collections.abc import Mapping
from decimal import Decimal


def exact_json(value: object) -> str:
    """JSON in which a Decimal keeps its digits, which `json.dumps` has no way to write."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        members = (f"{exact_json(str(name))}: {exact_json(each)}" for name, each in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(exact_json, value))}]"
    return json.dumps(value, ensure_ascii=False)
