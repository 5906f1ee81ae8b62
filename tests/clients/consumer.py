# mypy: disable-error-code="import-not-found"
"""A user of the generated client: sign in, table, import, wait, query; all of it typed.

`test_python_client.py` generates `tabularium_client` from the running stack's document, checks
this file against it with `mypy --strict`, and runs it: `python consumer.py URL USER PASSWORD`.
"""

import sys
import time
from io import BytesIO

from tabularium_client.api.imports import imports_create, imports_errors, imports_read
from tabularium_client.api.records import records_list
from tabularium_client.api.sign_in import token_action
from tabularium_client.api.tables import tables_create, tables_delete
from tabularium_client.client import AuthenticatedClient, Client
from tabularium_client.models import (
    ColumnDefinition,
    ImportAnswer,
    ImportsCreateFilesImportForm,
    NewTable,
    PageRejectAnswer,
    Pair,
    RecordPage,
    RecordsListFilters,
    RecordsTableAnswer,
    SignIn,
    State,
)
from tabularium_client.types import File

TABLE = "OfTheTypedClient"
CONTENT = b"name,born\nAnn,2001-02-03\nEve,2001-02-30\n"
PATIENCE_S = 60.0


def main(url: str, username: str, password: str) -> None:
    """Walk the whole way; raises AssertionError where an answer is not what it should be."""
    pair = token_action.sync(
        client=Client(base_url=url), body=SignIn(username=username, password=password)
    )
    assert isinstance(pair, Pair), pair
    with AuthenticatedClient(base_url=url, token=pair.access) as client:
        columns = [
            ColumnDefinition(name="name", type_="TEXT"),
            ColumnDefinition(name="born", type_="DATE"),
        ]
        table = tables_create.sync(client=client, body=NewTable(name=TABLE, columns=columns))
        assert isinstance(table, RecordsTableAnswer), table
        assert [column.name for column in table.columns] == ["name", "born"]
        done = imported(client)
        assert done.state is State.SUCCEEDED, done
        assert (done.rows.loaded, done.rows.rejected) == (1, 1)
        rejects = imports_errors.sync(done.id, client=client)
        assert isinstance(rejects, PageRejectAnswer), rejects
        assert [(one.line, one.code) for one in rejects.items] == [(3, "out_of_range")]
        filters = RecordsListFilters.from_dict({"name__startswith": "A"})
        page = records_list.sync(TABLE, client=client, sort="name", filters=filters)
        assert isinstance(page, RecordPage), page
        assert [item.additional_properties["name"] for item in page.items] == ["Ann"]
        gone = tables_delete.sync_detailed(TABLE, client=client)
        assert gone.status_code == 204, gone


def imported(client: AuthenticatedClient) -> ImportAnswer:
    """Upload the file and wait until its import is over."""
    form = ImportsCreateFilesImportForm(
        file=File(payload=BytesIO(CONTENT), file_name="people.csv"), table=TABLE
    )
    accepted = imports_create.sync(client=client, body=form)
    assert isinstance(accepted, ImportAnswer), accepted
    deadline = time.monotonic() + PATIENCE_S
    while True:
        now = imports_read.sync(accepted.id, client=client)
        assert isinstance(now, ImportAnswer), now
        if now.state not in (State.QUEUED, State.RUNNING):
            return now
        assert time.monotonic() < deadline, "the import did not end"
        time.sleep(0.1)  # polls a condition


if __name__ == "__main__":
    main(*sys.argv[1:])
