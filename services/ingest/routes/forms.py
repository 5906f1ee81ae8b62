"""Form fields of an upload: turned into requests, and described for OpenAPI."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.ingest.domain import FileFormat, ImportKind, ImportOptions, ImportRequest
from services.ingest.routes.schemas import CatalogFileForm, ImportForm, UploadCsvForm
from shared.contracts.problem import FieldError
from shared.errors import InvalidInputError

Form = TypeVar("Form", bound=BaseModel)


def import_request(fields: Mapping[str, str]) -> ImportRequest:
    """Fields of `POST /api/imports`; raises InvalidInputError."""
    form = _read(ImportForm, fields)
    return ImportRequest(
        kind=ImportKind.FILE,
        options=form.options(),
        table=form.table,
        etl_name=form.etl_name,
        email=form.email,
    )


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
    try:
        return form.model_validate(given)
    except ValidationError as exc:
        errors = [_field_error(error) for error in exc.errors()]
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors[:3])
        raise InvalidInputError(detail, errors=errors) from exc


def _field_error(error: Mapping[str, Any]) -> FieldError:
    code, message = str(error["type"]), str(error["msg"])
    field = str(error["loc"][0]) if error["loc"] else "key"
    if code == "extra_forbidden":
        code, message = "unknown_field", "this field is not known; leave it out"
    elif code == "value_error":
        message = message.removeprefix("Value error, ")
    return FieldError(field=field, code=code, message=message)
