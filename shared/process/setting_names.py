"""The names of all settings, and what a name that is none of them was meant to be.

A process is given settings of others too (by one `.env` for all), so it must know these names to
know a misspelt one. A test holds the list against what the processes read.
"""

from collections.abc import Iterable

from shared.values.nearest import nearest

READ_BY_LIBRARIES = ("AWS_", "OTEL_")
"""How names begin that the clients of S3 and of OpenTelemetry read themselves."""
LIKENESS = 0.8
"""Of 1; the environment is full of other programs' names."""
PREFIX = "TABULARIUM_"
"""What people put before names that have no prefix."""

SETTINGS = frozenset(
    {
        "ADMIN_EMAILS",
        "ALERT_WINDOW_S",
        "ANSWER_TIMEOUT_S",
        "ARGON2_MEMORY_KIB",
        "ARGON2_PASSES",
        "AUTH_DB_PASSWORD",
        "AUTH_URL",
        "BODIES_PER_SUBJECT",
        "BODY_GRACE_S",
        "BODY_LIMIT_BYTES",
        "BODY_RATE_BYTES_PER_S",
        "BODY_TIME_S",
        "CATALOG_DB_PASSWORD",
        "CATALOG_URL",
        "CONNECTIONS_PER_ADDRESS",
        "CONNECT_TIMEOUT_S",
        "CORS_ORIGINS",
        "DATABASE_POOL_SIZE",
        "DATABASE_URL",
        "DEMO_LOG_IN",
        "DEMO_URL",
        "ENGINE_POOL_SIZE",
        "EXCHANGES_PER_SUBJECT",
        "EXPORT_DATABASE_URL",
        "EXPORT_LEAST_BYTES_PER_S",
        "EXPORT_POOL_SIZE",
        "EXPORT_STALL_S",
        "FIRST_ADMIN_EMAIL",
        "FIRST_ADMIN_PASSWORD",
        "FIRST_ADMIN_USERNAME",
        "GATHER_S",
        "HASHING_QUEUE",
        "HASHING_THREADS",
        "HEAD_LIMIT_BYTES",
        "HEAD_TIMEOUT_S",
        "HEARTBEAT_S",
        "HOST",
        "HOUSEKEEPING_S",
        "IDLE_TIMEOUT_S",
        "IMPORT_DEADLINE_S",
        "IMPORT_MEMORY_BYTES",
        "INGEST_DB_PASSWORD",
        "INGEST_URL",
        "INTERNAL_CLIENTS",
        "LISTEN_DATABASE_URL",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "MAILS_PER_DAY",
        "MAILS_PER_HOUR",
        "MAIL_FROM",
        "MAX_ATTEMPTS",
        "METRICS_HOST",
        "METRICS_PORT",
        "OPENLINEAGE_API_KEY",
        "OPENLINEAGE_NAMESPACE",
        "OPENLINEAGE_URL",
        "ORPHAN_GRACE_S",
        "OTP_MAIL_SPREAD_S",
        "OTP_OVERALL_PER_HOUR",
        "OTP_PEPPER",
        "OTP_PER_ADDRESS_PER_HOUR",
        "OTP_PER_IP_PER_HOUR",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "PG_BIN",
        "PORT",
        "PROGRESS_S",
        "PUBLIC_URL",
        "QUEUED_PER_SUBJECT",
        "RATE_LIMIT_OTP_PER_H_ADDRESS",
        "RATE_LIMIT_OTP_PER_H_EMAIL",
        "RATE_LIMIT_REQUESTS_BURST",
        "RATE_LIMIT_REQUESTS_PER_S",
        "RATE_LIMIT_SIGN_IN_PER_MIN",
        "RECORDS_DB_PASSWORD",
        "RECORDS_URL",
        "REDIS_BIN",
        "REDIS_URL",
        "REFRESH_IDLE_DAYS",
        "REHEARSAL_RETENTION_DAYS",
        "REJECTS_RETENTION_DAYS",
        "RETRY_BASE_S",
        "RIGHTS_FRESH_S",
        "RUN_RETENTION_DAYS",
        "SERVICE_CLIENT_ID",
        "SERVICE_CLIENT_SECRET",
        "SESSION_DAYS",
        "SIGNING_KEY_SECRET",
        "SIGN_UP",
        "SIGN_UP_DOMAINS",
        "SILENT_S",
        "SMTP_HOST",
        "SMTP_PASSWORD",
        "SMTP_PORT",
        "SMTP_SECURITY",
        "SMTP_TIMEOUT_S",
        "SMTP_USERNAME",
        "SOURCE_ALLOWED_NETWORKS",
        "SOURCE_ALLOWED_PORTS",
        "SOURCE_ANSWER_S",
        "SOURCE_KEYS",
        "SOURCE_LEAST_BYTES_PER_S",
        "SOURCE_PASSWORD_RETENTION_DAYS",
        "STATEMENTS_PER_SUBJECT",
        "STATEMENT_TIMEOUT_S",
        "STATE_DIR",
        "STOP_TIMEOUT_S",
        "STORAGE_URL",
        "STREAMS_PER_SUBJECT",
        "SUMMARIES_AT_ONCE",
        "SUMMARY_TIMEOUT_S",
        "SWEEP_S",
        "TOKEN_AUDIENCE",
        "TOKEN_ISSUER",
        "TRUSTED_PROXIES",
        "UNDO_RETENTION_DAYS",
        "UPLOAD_LIMIT_BYTES",
        "UPLOAD_RETENTION_DAYS",
        "UPSTREAM_CONNECTIONS",
        "WEBHOOK_RETENTION_DAYS",
        "WORKER_CONCURRENCY",
    }
)


def misspelt(names: Iterable[str], *, settings: Iterable[str]) -> dict[str, str]:
    """Each name that is no setting but resembles one of `settings`, with that setting."""
    likely = list(settings)
    return {
        name: meaning
        for name in sorted(names)
        if name.upper() not in SETTINGS
        and not name.startswith(READ_BY_LIBRARIES)
        and (meaning := _meaning(name.upper(), likely))
    }


def _meaning(name: str, settings: list[str]) -> str | None:
    bare = name.removeprefix(PREFIX)
    if bare in settings:
        return bare
    return nearest(bare, settings, likeness=LIKENESS)
