"""The codes of problems and of refused rows."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import gateway
import services
import shared
from reference.markdown import code, page, plain, table
from services.ingest.domain.outcome import RejectCode
from shared.contracts.problem import PROBLEM_MEDIA_TYPE
from shared.errors import ProblemError

OURS = ("shared.", "services.", "gateway.")
"""The packages whose errors callers meet."""
REJECTS = {
    RejectCode.TYPE_MISMATCH: "The value is not written as its column's type is.",
    RejectCode.OUT_OF_RANGE: "It is written so, and outside the type's bounds.",
    RejectCode.TOO_LONG: "More characters, or values of a JSON document, than the column takes.",
    RejectCode.NOT_NULL: "Empty, in a column that takes no NULL.",
    RejectCode.DUPLICATE_IN_FILE: "An earlier row of the file has the same key.",
    RejectCode.DUPLICATE_IN_TABLE: "A record of the table has the same key.",
    RejectCode.TOO_MANY_FIELDS: "The line has more cells than the header.",
    RejectCode.TOO_FEW_FIELDS: "The line has fewer cells than the header; `fill_short` fills them.",
    RejectCode.BAD_ENCODING: "Bytes that are no text in the file's encoding.",
    RejectCode.NUL_BYTE: "A NUL character, which PostgreSQL's text cannot hold.",
    RejectCode.STRAY_QUOTE: "A quote in the middle of a cell.",
    RejectCode.AMBIGUOUS_QUOTE: "A quote that can be read in two ways.",
    RejectCode.BELOW_MIN: "Breaks the column's rule `min` or `exclusive_min`.",
    RejectCode.ABOVE_MAX: "Breaks the rule `max` or `exclusive_max`.",
    RejectCode.TOO_SHORT: "Breaks the rule `min_length`.",
    RejectCode.PATTERN_MISMATCH: "Breaks the rule `pattern`.",
    RejectCode.NOT_IN_ENUM: "Breaks the rule `enum`; the message names the nearest value.",
    RejectCode.UNKNOWN_REFERENCE: "Breaks the rule `references`: no record has this value.",
}


def problems_page() -> str:
    """Every cause of an error answer, by status."""
    for package in (shared, services, gateway):
        _load(package)
    # Of several kinds with one code the most general; `__subclasses__` has the order of imports.
    kinds = sorted(
        (kind for kind in _kinds(ProblemError) if kind.__module__.startswith(OURS)),
        key=lambda kind: (-len(kind.__mro__), kind.__module__, kind.__qualname__),
    )
    found = {(kind.status, kind.code): kind for kind in kinds}
    rows = [
        [str(status), code(name), kind.title, plain(kind.__doc__)]
        for (status, name), kind in sorted(found.items())
    ]
    return page(
        "Problem codes",
        f"Errors are `{PROBLEM_MEDIA_TYPE}` (RFC 9457). Programs go by `code`, which does not"
        " change; `detail` says what happened in words, `errors` names each field with a code of"
        " its own, and `request_id` finds the request in the logs.",
        table(["status", "code", "title", "when"], rows),
    )


def rejects_page() -> str:
    """Why a row of an import is refused."""
    return page(
        "Reject codes",
        "Each refused row of an import is told with its line, column, code and value under"
        " `GET /api/imports/{import_id}/errors`, in sum under `reasons`, and in the rejects file.",
        table(
            ["code", "meaning"], [[code(reject.value), REJECTS[reject]] for reject in RejectCode]
        ),
    )


def _kinds(kind: type[ProblemError]) -> Iterator[type[ProblemError]]:
    yield kind
    for heir in kind.__subclasses__():
        yield from _kinds(heir)


def _load(package: ModuleType) -> None:
    """Have every module imported, so that its classes are known."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
