"""Settings of the import service: the API and the workers read the same ones."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.process.settings import MailSettings, ServiceSettings

GIB = 1024**3


class ConnectionSettings(BaseSettings):
    """Which other databases may be reached, and how."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    source_keys: SecretStr | None = None
    """Keys for passwords of databases: a comma list of url-safe base64, 32 bytes each; the first
    seals, all of them open. Without them no database can be read."""
    source_allowed_networks: str = "public"
    """Where databases may be: a comma list of CIDR networks and `public` (the open internet)."""
    source_allowed_ports: str = "80,443,1521,2484,5432-5439,6432,8080,8443"
    """At public addresses: a comma list of ports and ranges; empty for any. Addresses that are
    allowed by their network take any port."""
    source_answer_s: PositiveFloat = 600
    """How long a database may take for a query's first rows, and between any two pieces."""
    source_least_bytes_per_s: PositiveFloat = 100
    """How fast a database must deliver, over any longer time than SOURCE_ANSWER_S."""


class LineageSettings(BaseSettings):
    """Where imports are told in OpenLineage."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    openlineage_url: str | None = None
    """A receiver of OpenLineage: RunEvents are posted to `/api/v1/lineage` below it."""
    openlineage_api_key: SecretStr | None = None
    """Sent to it as a bearer token."""
    openlineage_namespace: str = "tabularium"
    """The namespace of the jobs."""

    @property
    def tells_lineage(self) -> bool:
        """Whether there is a receiver."""
        return self.openlineage_url is not None


class IngestSettings(ServiceSettings, ConnectionSettings, LineageSettings):
    """What both the API and the workers need."""

    smtp_host: str | None = None
    smtp_port: int = 587
    """The mail server, which no database import may call; workers send mail through it."""
    storage_url: str
    """`file:///folder` or `s3://bucket/prefix`; credentials come from the environment."""
    upload_limit_bytes: PositiveInt = 5 * GIB
    """The largest file; a larger one is 413."""
    service_client_id: str = "ingest"
    queued_per_subject: PositiveInt = 1000
    """How many imports of one subject may wait at once."""
    streams_per_subject: PositiveInt = 20
    """How many imports one subject may follow at once, in one process."""
    mails_per_hour: PositiveInt = 5
    """Mails to an address that is not the submitter's own; see the next one."""
    mails_per_day: PositiveInt = 20
    """How many mails go to an address that is not the submitter's own; the rest are gathered."""
    gather_s: PositiveFloat = 60
    """How often a worker looks whether gathered mails may go."""
    worker_concurrency: PositiveInt = 3
    """How many imports one worker process runs at once. One subject gets all of them but one."""
    rights_fresh_s: PositiveFloat = 5
    """How long a worker goes by what it knows of a submitter's rights."""
    import_deadline_s: PositiveFloat = 6 * 3600
    """How long one attempt at an import may take."""
    import_memory_bytes: PositiveInt = GIB
    """What an import may take that runs in a process of its own, because its worker died."""
    heartbeat_s: PositiveFloat = 5
    """How often a running import shows that its worker lives."""
    silent_s: PositiveFloat = 20
    """A running import whose heart has not beaten for so long is taken over."""
    sweep_s: PositiveFloat = 2
    """How often a worker looks for silent runs, and for queued ones that no wake-up reached."""
    progress_s: PositiveFloat = 0.5
    """How often a running import writes down its progress."""
    max_attempts: PositiveInt = 5
    """How often an import is tried before it is given up."""
    retry_base_s: PositiveFloat = 2
    """Wait before the second attempt; it doubles with every further one."""
    upload_retention_days: NonNegativeInt = 7
    """How long the files of ended imports are kept."""
    rejects_retention_days: NonNegativeInt = 30
    """How long refused rows are kept."""
    undo_retention_days: NonNegativeInt = 7
    """How long rows are kept that an upsert overwrote or a replace removed; 0: not at all."""
    rehearsal_retention_days: NonNegativeInt = 7
    """How long the judged rows of a dry run are kept, so that it can be committed."""
    run_retention_days: NonNegativeInt = 90
    webhook_retention_days: NonNegativeInt = 30
    """How long what was sent to webhooks is kept, and can be sent again."""
    housekeeping_s: PositiveFloat = Field(default=600)
    """How often retention is applied."""
    orphan_grace_s: PositiveFloat = Field(default=86_400)
    """A stored object that no import knows is removed when it is older than this."""
    source_password_retention_days: NonNegativeInt = 7
    """How long a failed import's own password is kept, so that it can be tried again."""


class WorkerSettings(MailSettings, IngestSettings):
    """What a worker needs beyond that: the mail server."""
