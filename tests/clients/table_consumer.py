# mypy: disable-error-code="import-not-found"
"""A user of the client generated from one table's document: read, change, filter, export.

`test_table_client.py` checks this file with `mypy --strict` and runs it:
`python table_consumer.py URL TOKEN`.
"""

import sys

from of_every_type.api.records import (
    records_change,
    records_create,
    records_export,
    records_get,
    records_list,
)
from of_every_type.client import AuthenticatedClient
from of_every_type.models import (
    NewRecord,
    Record,
    RecordChange,
    RecordsExportFormat,
    RecordsListDoubleType1,
    RecordsListResponse200,
)

FIRST = 1


def main(url: str, token: str) -> None:
    """Raises AssertionError where an answer is not what it should be."""
    with AuthenticatedClient(base_url=url, token=token) as client:
        record = records_get.sync(FIRST, client=client)
        assert isinstance(record, Record), record
        assert (record.text, record.double, record.json) == ("first", "NaN", {"k": [1.5, None]})
        assert (record.d_bigint, record.d_numeric) == (9007199254740993, 1.1)

        # One field of the body, one field changed: defaults are not sent along.
        change = RecordChange(d_text="changed")
        assert change.to_dict() == {"d_text": "changed"}
        changed = records_change.sync(FIRST, client=client, body=change)
        assert isinstance(changed, Record), changed
        assert (changed.d_text, changed.text, changed.d_uuid) == ("changed", "first", record.d_uuid)

        created = records_create.sync(client=client, body=NewRecord(text="second", bigint=2**60))
        assert isinstance(created, Record), created
        assert (created.bigint, created.d_text) == (2**60, "x")

        few = records_list.sync(
            client=client, fields="text", a_gt_eq="2", double=RecordsListDoubleType1.NAN
        )
        assert isinstance(few, RecordsListResponse200), few
        assert [item.text for item in few.items] == ["first"]

        text = records_export.sync(client=client, fields="text", sort="id")
        assert text == "id,text\n1,first\n2,second\n", text
        file = records_export.sync_detailed(client=client, format_=RecordsExportFormat.PARQUET)
        assert file.content[:4] == file.content[-4:] == b"PAR1"


if __name__ == "__main__":
    main(*sys.argv[1:])
