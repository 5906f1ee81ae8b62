"""What ends a command before its end, and with which exit code."""

from shared.contracts.problem import ProblemDocument

FAILED = 1
USAGE = 2
REJECTED_ROWS = 3
"""The import succeeded and refused some rows."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class CommandError(Exception):
    """A failure that is reported in one line; `exit_code` is the process's."""

    exit_code = FAILED


class UsageError(CommandError):
    """What was typed does not fit together."""

    exit_code = USAGE


class NotSignedInError(CommandError):
    """There is no token for this server, or none that still holds."""


class ServerAwayError(CommandError):
    """Nobody answers under the server's address, or the connection broke."""


class NotTabulariumError(CommandError):
    """Something answers, but not as Tabularium does."""


class ProblemAnswerError(CommandError):
    """The server refused and said why in a problem document."""

    def __init__(self, problem: ProblemDocument, *, retry_after_s: float | None = None) -> None:
        super().__init__(one_line(problem))
        self.problem = problem
        self.retry_after_s = retry_after_s
        """What the answer's `Retry-After` asked for."""


def one_line(problem: ProblemDocument) -> str:
    """A problem as one line: each field with its reason, else the detail.

    The request id is added where only the operator's logs know more.
    """
    line = problem.detail
    if problem.errors:
        line = "; ".join(
            f"{error.field}: {error.message}" if error.field else error.message
            for error in problem.errors
        )
        if problem.title and not line.startswith(problem.title):
            line = f"{problem.title}: {line}"
    if problem.status >= 500 and problem.request_id and problem.request_id not in line:
        line = f"{line} (request id {problem.request_id})"
    return " ".join(line.split())
