"""The settings of each process: names, types, defaults, and what the code says of them."""

import ast
import inspect
import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from gateway.settings import GatewaySettings
from reference.markdown import code, page, plain, table
from services.auth.settings import AuthSettings
from services.catalog.settings import CatalogSettings
from services.ingest.settings import IngestSettings, WorkerSettings
from services.records.settings import RecordsSettings
from shared.process.settings import MailSettings, ProcessSettings, ServiceSettings

SECTIONS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("Every process", ProcessSettings),
    ("Services with a database", ServiceSettings),
    ("Mail (auth and workers)", MailSettings),
    ("gateway", GatewaySettings),
    ("auth", AuthSettings),
    ("catalog", CatalogSettings),
    ("records", RecordsSettings),
    ("ingest: API and workers", IngestSettings),
    ("ingest: workers", WorkerSettings),
)
WORDS = {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}


def settings_page() -> str:
    """Each setting once, under the widest class that has it."""
    told: set[str] = set()
    parts = []
    for title, model in SECTIONS:
        rows = _rows(model, told)
        if rows:
            parts += [f"## {title}", table(["setting", "value", "default", "meaning"], rows)]
    return page(
        "Settings",
        "Environment variables, read at the start of each process. The local stack reads them from"
        " `.env` too, the containers from compose; `.env.example` lists those that people set."
        " Settings without a default have to be given; the local stack and compose give them.",
        *parts,
    )


def _rows(model: type[BaseSettings], told: set[str]) -> list[list[str]]:
    meanings = _meanings(model)
    rows = []
    for name, field in model.model_fields.items():
        if name in told:
            continue
        told.add(name)
        default = (
            "must be given"
            if field.is_required()
            else _default(field.get_default(call_default_factory=True, validated_data={}))
        )
        rows.append([code(name.upper()), _type(field.annotation), default, meanings.get(name, "")])
    return rows


def _meanings(model: type[BaseSettings]) -> dict[str, str]:
    """The string behind each field, in the classes that the model is made of."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseSettings) or base is BaseSettings:
            continue
        (tree,) = ast.parse(inspect.getsource(base)).body
        assert isinstance(tree, ast.ClassDef)
        for field, after in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[field.target.id] = plain(str(after.value.value))
    return found


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(code(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(
            dict.fromkeys(_type(part) for part in arguments if part is not type(None))
        )
    if origin is tuple:
        return f"list of {_type(arguments[0])}, comma-separated"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(code(member.value) for member in annotation)
    if annotation is SecretStr:
        return "secret text"
    name = getattr(annotation, "__name__", str(annotation))
    return WORDS.get(name, "network" if "Network" in name else "text")


def _default(value: object) -> str:
    if value in (None, (), "") or isinstance(value, SecretStr):
        return "none"
    if isinstance(value, Enum):
        return code(value.value)
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, (tuple, list, frozenset)):
        return code(",".join(map(str, value)))
    return code(value)
