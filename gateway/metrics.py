"""What the gateway counts beside `tabularium_http_request_seconds`."""

from prometheus_client import Counter, Gauge

upstream_failures = Counter(
    "tabularium_gateway_upstream_failures_total",
    "Requests that a service did not answer in full: connect, broken, timeout; and reads retried.",
    ["upstream", "kind"],
)
rate_limited = Counter(
    "tabularium_gateway_rate_limited_total",
    "Requests answered 429, by class of limit.",
    ["limit"],
)
rate_limits_down = Gauge(
    "tabularium_gateway_rate_limits_down",
    "1 while Redis is away and only sign-in is refused.",
)
connections_closed = Counter(
    "tabularium_gateway_connections_closed_total",
    "Connections that showed no access token, closed because their address had too many.",
)
requests_running = Gauge(
    "tabularium_gateway_requests_running",
    "Requests being passed on now.",
)
answers_broken_off = Counter(
    "tabularium_gateway_answers_broken_off_total",
    "Answers that ended after their head was sent: the client left, or the service broke off.",
    ["because"],
)
alert_mails = Counter(
    "tabularium_gateway_alert_mails_total",
    "Mails to the admins about errors, by result.",
    ["result"],
)
