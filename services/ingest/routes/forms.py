"""Form fields of an upload: turned into requests, and described for OpenAPI."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.ingest.domain.options import FileFormat, ImportKind, ImportOptions
from services.ingest.domain.run import ImportRequest
from services.ingest.routes.schemas import CatalogFileForm, ImportForm, UploadCsvForm
from services.ingest.service.receive import IncomingBody
from shared.contracts.problem import FieldError
from shared.errors import InvalidInputError, TooLargeError
from shared.http.known_fields import unknown_field
from shared.http.problems import unreadable_json
from shared.values.nearest import SUGGESTED
from shared.values.numbers import read_json

Form = TypeVar("Form", bound=BaseModel)

JSON_LIMIT_BYTES = 1 << 20
WHOLE_FORM = {"upsert_only": "mode", "create_table_only": "types"}
"""Codes of what is wrong with several fields, and the field that decides."""


def import_request(fields: Mapping[str, str]) -> ImportRequest:
    """Fields of `POST /api/imports`; raises InvalidInputError."""
    return _read(ImportForm, fields).request()


async def json_of(body: IncomingBody, model: type[Form]) -> Form:
    """A JSON body that a route reads itself; raises InvalidInputError, TooLargeError."""
    content = b""
    async for chunk in body.chunks:
        content += chunk
        if len(content) > JSON_LIMIT_BYTES:
            raise TooLargeError(
                f"a JSON body may have {JSON_LIMIT_BYTES} bytes", limit_bytes=JSON_LIMIT_BYTES
            )
    try:
        given = read_json(content.decode())
    except (ValueError, RecursionError) as exc:
        raise unreadable_json(exc) from exc
    if not isinstance(given, dict):
        raise InvalidInputError.of("body", "json_invalid", "send a JSON object")
    return checked(model, given)


def upload_csv_request(fields: Mapping[str, str]) -> ImportRequest:
    """Fields of `POST /api/upload-csv/`; raises InvalidInputError."""
    form = _read(UploadCsvForm, fields)
    return ImportRequest(
        kind=ImportKind.FILE,
        options=ImportOptions(format=FileFormat.CSV),
        table=form.table_name,
        email=form.email,
    )


def catalog_file_request(fields: Mapping[str, str]) -> ImportRequest:
    """Fields of `POST /api/data/file/`; raises InvalidInputError."""
    form = _read(CatalogFileForm, fields)
    return ImportRequest(kind=ImportKind.CATALOG_FILE, email=form.email)


def or_json(
    openapi: dict[str, Any], model: type[BaseModel], *, required: bool = True
) -> dict[str, Any]:
    """The same call, whose body may be JSON too, or (not `required`) missing."""
    content = openapi["requestBody"]["content"]
    return {
        "requestBody": {
            **openapi["requestBody"],
            "required": required,
            "content": {**content, "application/json": {"schema": _inlined(model)}},
        }
    }


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema without references; none of its models refers to itself."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            target = definitions[value["$ref"].rpartition("/")[2]]
            return resolved({**target, **{k: v for k, v in value.items() if k != "$ref"}})
        return {key: resolved(each) for key, each in value.items()}

    result: dict[str, Any] = resolved(schema)
    return result


def multipart_file(description: str) -> dict[str, Any]:
    """The OpenAPI of a multipart body with nothing but a binary `file`."""
    file = {"type": "string", "format": "binary", "description": description}
    return {
        "requestBody": {
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": {"file": file}, "required": ["file"]}
                }
            }
        }
    }


def multipart(form: type[BaseModel], *, example: Mapping[str, str]) -> dict[str, Any]:
    """The OpenAPI of a multipart body with a binary `file` and the form's fields."""
    schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    required = schema.get("required", [])
    # What must be given is shown first.
    names = [*required, *(name for name in schema["properties"] if name not in required)]
    fields = {name: _text_field(schema["properties"][name], definitions) for name in names}
    file = {"type": "string", "format": "binary", "description": "The file."}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "title": form.__name__,
                        "properties": {"file": file, **fields},
                        "required": ["file", *required],
                        "additionalProperties": False,
                    },
                    "example": {"file": "(the file's bytes)", **example},
                }
            },
        }
    }


def _text_field(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A field as a form sends it: lists are comma-separated, objects are JSON text."""
    variants = [variant for variant in field.get("anyOf", [field]) if variant.get("type") != "null"]
    shown = dict(variants[0])
    if "$ref" in shown:
        shown = dict(definitions[shown["$ref"].rpartition("/")[2]])
    kind = shown.get("type")
    described = [field["description"]] if "description" in field else []
    if kind in ("array", "object"):
        described.append("Comma-separated." if kind == "array" else "A JSON object.")
        return {"type": "string", "description": " ".join(described)}
    kept = ("type", "format", "enum", "minimum", "minLength", "maxLength")
    result = {name: shown[name] for name in kept if name in shown}
    if described:
        result["description"] = described[0]
    default = field.get("default")
    if default is not None:
        result["default"] = default
    return result


def _read(form: type[Form], fields: Mapping[str, str]) -> Form:
    # Browsers and Swagger UI send an empty field for what was left out. In a list of
    # `null_values`, as in `NA,`, an empty one is meant; a field that is not known stays unknown.
    known = form.model_fields
    given = {name: text for name, text in fields.items() if text != "" or name not in known}
    return checked(form, given)


def validated(form: type[Form], fields: Mapping[str, str]) -> Form:
    """A form out of its fields; raises InvalidInputError."""
    return _read(form, fields)


def checked(form: type[Form], given: Mapping[str, Any], *, within: str = "") -> Form:
    """A model out of what was given `within` a field of that name; raises InvalidInputError."""
    try:
        return form.model_validate(given)
    except ValidationError as exc:
        errors = [
            _field_error(error, within, known=form.model_fields if number < SUGGESTED else ())
            for number, error in enumerate(exc.errors())
        ]
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors[:3])
        raise InvalidInputError(detail, errors=errors) from exc


def _field_error(error: Mapping[str, Any], within: str, *, known: Iterable[str]) -> FieldError:
    code, message = str(error["type"]), str(error["msg"])
    field = str(error["loc"][0]) if error["loc"] else WHOLE_FORM.get(code, "key")
    if code == "extra_forbidden":
        code, message = "unknown_field", unknown_field(field, known)
    elif code == "value_error":
        message = message.removeprefix("Value error, ")
    return FieldError(field=f"{within}{field}", code=code, message=message)
