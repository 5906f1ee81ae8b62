"""From a path to its route template, as the services' OpenAPI documents name it.

Logs, metrics and alerts speak of templates, so that a million table names stay one line.
"""

from collections.abc import Iterable


class Templates:
    """A tree of path parts; `{…}` stands for any one part."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._root: dict[str, object] = {}
        for path in paths:
            node = self._root
            for part in path.split("/")[1:]:
                key = "{}" if part.startswith("{") else part
                node = node.setdefault(key, {})  # type: ignore[assignment]
            node[""] = path

    def match(self, path: str) -> str | None:
        """The template of a path without a slash at its end; fixed parts win over `{…}`."""
        return _find(self._root, path.split("/"), 1)


def _find(node: dict[str, object], parts: list[str], place: int) -> str | None:
    if place == len(parts):
        template = node.get("")
        return template if isinstance(template, str) else None
    part = parts[place]
    for key in (part, "{}") if part else ("{}",):
        below = node.get(key)
        if isinstance(below, dict) and (match := _find(below, parts, place + 1)) is not None:
            return match
    return None
