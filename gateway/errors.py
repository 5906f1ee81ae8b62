"""What can go wrong at the gateway itself; services' own problems pass through as they are."""

from shared.errors import ProblemError, UnavailableError


class MethodNotAllowedError(ProblemError):
    """One of the gateway's own paths, called with a method that it does not have."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class BadRequestError(ProblemError):
    """The request's head cannot be passed on as it is."""

    status = 400
    code = "bad_request"
    title = "The request cannot be read"


class ClientTooSlowError(ProblemError):
    """The client stopped in the middle of its request."""

    status = 408
    code = "request_timeout"
    title = "The request took too long to arrive"


class ServiceUnavailableError(UnavailableError):
    """A service does not take connections."""

    code = "service_unavailable"


class BadAnswerError(ProblemError):
    """A service broke off before its answer, or sent one that cannot be read."""

    status = 502
    code = "bad_gateway"
    title = "A service gave no readable answer"


class AnswerTimeoutError(ProblemError):
    """A service did not answer in time."""

    status = 504
    code = "gateway_timeout"
    title = "A service took too long to answer"


class SignInUnavailableError(UnavailableError):
    """Sign-in is off while its rate limits cannot be counted."""

    code = "sign_in_unavailable"


class ClientGoneError(Exception):
    """The client closed the connection; there is nobody to answer."""
