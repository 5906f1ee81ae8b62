"""Causes of failure that only the catalog knows; each has a stable code."""

from collections.abc import Sequence
from typing import ClassVar

from shared.contracts.problem import FieldError
from shared.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ProblemError,
    UnavailableError,
)


class EtlUnknownError(NotFoundError):
    """No ETL has this name."""

    code = "etl_unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"the catalog knows no ETL named {name!r}")


class TableUnknownError(NotFoundError):
    """No table has this name in this schema."""

    code = "table_unknown"


class EdgeUnknownError(NotFoundError):
    """The catalog has no edge from this ETL to this table."""

    code = "edge_unknown"


class AliasUnknownError(NotFoundError):
    """No alias of a namespace has this name."""

    code = "alias_unknown"


class EdgeNotYoursError(ForbiddenError):
    """The edge may be removed by others alone."""

    code = "edge_not_yours"


class TableNotYoursError(ForbiddenError):
    """The table is described by others alone."""

    code = "table_not_yours"


class AmbiguousNameError(ConflictError):
    """More than one thing has this name; `errors` names each, by the parameter that chooses."""

    code = "ambiguous_name"

    def __init__(self, label: str, names: Sequence[str], *, field: str = "namespace") -> None:
        choices = [FieldError(field=field, code=self.code, message=name) for name in names]
        super().__init__(
            f"there are {len(choices)} of the name {label!r}; choose one by `?{field}=`",
            errors=choices,
        )


class EtlExistsError(ConflictError):
    """An ETL of this name is there already."""

    code = "etl_exists"


class CatalogBusyError(UnavailableError):
    """A bulk merge holds off other writers for some seconds."""

    code = "catalog_busy"


class RunUnknownError(NotFoundError):
    """The ETL has no such run."""

    code = "run_unknown"


class EventUnreadableError(ProblemError):
    """This is no event of OpenLineage; sending it again does not help."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "event_unreadable"
    title: ClassVar[str] = "The event cannot be read"


class LineRefusedError(InvalidInputError):
    """A line of a stream does not fit; `errors` names it, and nothing of the stream was kept."""

    code = "line_refused"


class StreamBrokenError(ProblemError):
    """The sender went away in mid-stream; nothing of the stream was kept."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "stream_broken"
    title: ClassVar[str] = "The stream broke off"
