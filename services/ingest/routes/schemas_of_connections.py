"""Wire models of sources and of imports from databases."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.ingest.connections.domain import (
    Login,
    Selection,
    SourceId,
    SourceKind,
    SourceQuery,
    SourceTable,
    SourceTarget,
)
from services.ingest.domain.options import ImportKind
from services.ingest.domain.run import ImportRequest
from services.ingest.routes.schemas import Name, Notices, RowOptions
from shared.contracts.base import (
    Id,
    RequestModel,
    StorableSecret,
    StorableText,
)

POSTGRESQL_EXAMPLE = {
    "kind": "postgresql",
    "host": "db.example.com",
    "port": 5432,
    "database": "crm",
    "user": "reader",
    "password": "secret",
}
ORACLE_EXAMPLE = {
    "kind": "oracle",
    "host": "ora.example.com",
    "port": 1521,
    "service_name": "FREEPDB1",
    "user": "reader",
    "password": "secret",
}
IMPORT_EXAMPLES = {
    "postgresql": {
        "summary": "A table of a PostgreSQL database, into a table made for it",
        "value": {
            "source": POSTGRESQL_EXAMPLE,
            "table": "public.customers",
            "into": "Customer",
            "create_table": True,
        },
    },
    "oracle": {
        "summary": "A query on an Oracle database",
        "value": {
            "source": ORACLE_EXAMPLE,
            "query": "SELECT id, name FROM hr.people WHERE active = 1",
            "into": "People",
            "mapping": {"ID": None},
        },
    },
    "saved": {
        "summary": "A table of a saved source",
        "value": {
            "source_id": 7,
            "table": "sales.orders",
            "into": "orders",
            "mode": "upsert",
            "key": ["number"],
        },
    },
}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def _without_controls(text: str) -> str:
    # It travels into another protocol, where a line break may begin a command.
    if _CONTROL.search(text):
        raise PydanticCustomError(
            "control_character", "control characters cannot be part of this; leave them out"
        )
    return text


def _secret_without_controls(secret: SecretStr) -> SecretStr:
    _without_controls(secret.get_secret_value())
    return secret


Port = Annotated[int, Field(ge=1, le=65535)]
Word = Annotated[
    StorableText, Field(min_length=1, max_length=255), AfterValidator(_without_controls)
]


Password = Annotated[
    StorableSecret, Field(max_length=1024), AfterValidator(_secret_without_controls)
]
_PART = r'(?:"((?:[^"\x00]|"")+)"|([^".\x00]+))'
_TABLE = re.compile(rf"\s*(?:{_PART}\s*\.\s*)?{_PART}\s*")
_DSN = re.compile(r"([A-Za-z0-9_.:-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})/([A-Za-z0-9_.$#-]{1,255})")


class PostgresqlGiven(RequestModel):
    """A PostgreSQL database; `tls` true encrypts and verifies, false does neither."""

    kind: Literal["postgresql"]
    host: Word
    port: Port = 5432
    database: Word
    user: Word
    password: Password
    tls: bool | None = None

    def login(self) -> Login:
        """The log-in that it is."""
        target = SourceTarget(
            kind=SourceKind.POSTGRESQL,
            host=self.host,
            port=self.port,
            user=self.user,
            database=self.database,
            tls=self.tls,
        )
        return Login(target, self.password.get_secret_value())


class OracleGiven(RequestModel):
    """An Oracle database, by service name or by SID; `tls` true is TCPS with verification."""

    kind: Literal["oracle"]
    host: Word
    port: Port = 1521
    service_name: Word | None = None
    sid: Word | None = None
    user: Word
    password: Password
    tls: bool | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.service_name is None) == (self.sid is None):
            raise PydanticCustomError("service_or_sid", "send either `service_name` or `sid`")
        return self

    def login(self) -> Login:
        """The log-in that it is."""
        target = SourceTarget(
            kind=SourceKind.ORACLE,
            host=self.host,
            port=self.port,
            user=self.user,
            service_name=self.service_name,
            sid=self.sid,
            tls=self.tls,
        )
        return Login(target, self.password.get_secret_value())


SourceGiven = Annotated[PostgresqlGiven | OracleGiven, Field(discriminator="kind")]


class DatabaseImport(RowOptions, Notices):
    """`POST /api/imports/database`: rows of a table or query of another database."""

    source: SourceGiven | None = None
    source_id: Id | None = None
    table: Annotated[
        StorableText | None, Field(description="`schema.name`; quote a part to keep its case.")
    ] = None
    query: Annotated[
        StorableText | None,
        Field(min_length=1, max_length=100_000, description="In the source's dialect."),
    ] = None
    into: Annotated[StorableText, Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.source is None) == (self.source_id is None):
            raise PydanticCustomError("one_source", "send either `source` or `source_id`")
        check_selection(self.table, self.query)
        return self

    def selection(self) -> Selection:
        """What is to be read."""
        return selection_of(self.table, self.query)

    def connection(self) -> Login | SourceId:
        """The log-in, or the saved connection that has it."""
        if self.source is not None:
            return self.source.login()
        assert self.source_id is not None
        return SourceId(self.source_id)

    def request(self) -> ImportRequest:
        """The import that is asked for."""
        return ImportRequest(
            kind=ImportKind.DATABASE,
            options=self.options(),
            table=self.into,
            etl_name=self.etl_name,
            email=self.email,
        )


def _kind_by_its_older_word(value: object) -> object:
    kind = {"postgres": "postgresql", "postgresql": "postgresql", "oracle": "oracle"}
    if not isinstance(value, str) or value not in kind:
        raise PydanticCustomError("unknown_kind", "say postgres or oracle")
    return kind[value]


def _dsn_of_host_port_service(dsn: str) -> str:
    if not _DSN.fullmatch(dsn):
        raise PydanticCustomError("dsn", "write the `dsn` as host:port/service")
    return dsn


def _there_unless_dsn(word: str | None, info: ValidationInfo) -> str | None:
    if word is None and info.data.get("dsn", "refused already") is None:
        raise PydanticCustomError("missing", "send this, or for Oracle a `dsn` in its place")
    return word


WordUnlessDsn = Annotated[
    Word | None, AfterValidator(_there_unless_dsn), Field(validate_default=True)
]


class CatalogDatabase(RequestModel):
    """`POST /api/data/database/`, the call of the older system."""

    db_type: Annotated[
        Literal["postgresql", "oracle"],
        BeforeValidator(_kind_by_its_older_word),
        Field(json_schema_extra={"enum": ["postgres", "oracle"]}),
    ]
    dsn: Annotated[
        Annotated[str, Field(max_length=600), AfterValidator(_dsn_of_host_port_service)] | None,
        Field(description="Oracle only, for `host`, `port` and `dbname`: `host:port/service`."),
    ] = None
    host: WordUnlessDsn = None
    port: Port | None = None
    dbname: WordUnlessDsn = None
    user: Word
    password: Password
    etl_name: Name
    email: EmailStr | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        others = self.host or self.port or self.dbname
        if self.dsn is not None and (self.db_type != "oracle" or others):
            raise PydanticCustomError(
                "dsn", "`dsn` is for Oracle, in place of `host`, `port` and `dbname`"
            )
        return self

    def request(self) -> ImportRequest:
        """The import that is asked for."""
        return ImportRequest(
            kind=ImportKind.CATALOG_DATABASE, etl_name=self.etl_name, email=self.email
        )

    def login(self) -> Login:
        """The log-in that it is; for Oracle `dbname` is the service name."""
        kind = SourceKind(self.db_type)
        host, port, name = self.host, self.port or kind.default_port, self.dbname
        if self.dsn is not None and (match := _DSN.fullmatch(self.dsn)):
            host, port, name = match[1], int(match[2]), match[3]
        assert host is not None
        oracle = kind is SourceKind.ORACLE
        target = SourceTarget(
            kind=kind,
            host=host,
            port=port,
            user=self.user,
            database=None if oracle else name,
            service_name=name if oracle else None,
        )
        return Login(target, self.password.get_secret_value())


def check_selection(table: str | None, query: str | None) -> None:
    """Refuse what names neither or both, or is no table's name; for validators."""
    if (table is None) == (query is None):
        raise PydanticCustomError("table_or_query", "send either `table` or `query`")
    if table is not None and not _TABLE.fullmatch(table):
        raise PydanticCustomError("table_name", "name the table as `name` or `schema.name`")


def selection_of(table: str | None, query: str | None) -> Selection:
    """What is to be read, of a model that `check_selection` has seen."""
    if query is not None:
        return SourceQuery(query)
    assert table is not None
    return source_table(table)


def source_table(text: str) -> SourceTable:
    """A table's name taken apart: `name`, `schema.name`, either part quoted to keep its case."""
    match = _TABLE.fullmatch(text)
    if match is None:
        raise ValueError("no name of a table")
    quoted_schema, plain_schema, quoted_name, plain_name = match.groups()
    schema = quoted_schema.replace('""', '"') if quoted_schema else plain_schema
    name = quoted_name.replace('""', '"') if quoted_name else plain_name
    return SourceTable(
        schema=schema.strip() if schema and not quoted_schema else schema,
        name=name if quoted_name else name.strip(),
        exact=bool(quoted_name),
    )
