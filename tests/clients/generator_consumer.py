# mypy: disable-error-code="import-not-found"
"""A user of openapi-generator's Python clients: of one table, and of the whole API.

`test_generator_client.py` checks this file with `mypy --strict` and runs it:
`python generator_consumer.py URL TOKEN IMPORT`.
"""

import sys

import of_every_type
import tabularium_api
from of_every_type.api.records_api import RecordsApi
from of_every_type.models.record_change import RecordChange
from tabularium_api.api.imports_api import ImportsApi


def main(url: str, token: str, import_id: str) -> None:
    """Raises AssertionError where an answer is not what it should be."""
    table = of_every_type.Configuration(host=url, access_token=token)
    records = RecordsApi(of_every_type.ApiClient(table))
    before = records.records_get(1)
    assert before.text == "first"
    assert before.double is not None
    assert before.double.actual_instance == "NaN"

    change = RecordChange(d_text="generated")
    assert change.to_dict() == {"d_text": "generated"}
    after = records.records_change(1, change)
    assert (after.d_text, after.text, after.d_uuid) == ("generated", "first", before.d_uuid)

    few = records.records_list(fields="text", a__gt__eq="2")
    assert [item.text for item in few.items] == ["first"]
    assert bytes(records.records_export(fields="text", sort="id")).startswith(b"id,text\n1,first\n")
    file = bytes(records.records_export(format="parquet"))
    assert file[:4] == file[-4:] == b"PAR1"

    api = tabularium_api.Configuration(host=url, access_token=token)
    imports = ImportsApi(tabularium_api.ApiClient(api))
    assert "out_of_range" in imports.imports_rejects(int(import_id))


if __name__ == "__main__":
    main(*sys.argv[1:])
