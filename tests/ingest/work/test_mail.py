"""The words of the mail about a finished import."""

import pytest

from services.ingest.domain import State
from services.ingest.mailer import headline
from services.ingest.runs.endings import MailNotice

NOTICE = MailNotice(
    to="ann@example.com",
    import_id=1,
    lease=1,
    state=State.SUCCEEDED,
    table="people",
    file_name="people.csv",
    dry_run=False,
    rows_read=2000,
    rows_loaded=2000,
    rows_rejected=0,
    rows_inserted=2000,
    rows_updated=0,
    has_rejects=False,
    reason=None,
)


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({}, "Imported: people.csv into people"),
        ({"rows_rejected": 1}, "Imported: people.csv into people, 1 row refused"),
        ({"rows_rejected": 2}, "Imported: people.csv into people, 2 rows refused"),
        ({"dry_run": True}, "Tried out: people.csv into people"),
        ({"state": State.FAILED}, "Not imported: people.csv into people"),
        ({"file_name": None}, "Imported: people"),
        ({"file_name": None, "table": None}, "Imported: import 1"),
    ],
)
def test_the_subject_says_what_became_of_what(changes: dict[str, object], subject: str) -> None:
    assert headline(NOTICE.model_copy(update=changes)) == subject
