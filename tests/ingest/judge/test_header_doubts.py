"""Lines of texts above a header that are as wide as the table: told, where columns become text."""

from dataclasses import replace

import pytest

from services.ingest.domain.options import ImportOptions
from tests.ingest.load.loading import Loader

CREATE = ImportOptions(create_table=True)


@pytest.mark.parametrize(
    ("data", "line", "doubted"),
    [
        ("Report:,Sales\nMade:,2024-01-05\nname,amount\nAnn,3\nBob,4\nCid,5\n", 3, {"Sales"}),
        ("Report:,Sales\nMade:,2024-01-05\n\nname,n\nAnn,3\nBob,4\nCid,5\n", 4, {"Sales"}),
        ("Station,Rome\nUnit,mm\nday,rain\n2024-01-01,3\n2024-01-02,4\n2024-01-03,0\n", 3,
         {"Station", "Rome"}),
        ("|Station|Rome|\n|day|rain|\n|2024-01-01|3|\n|2024-01-02|4|\n", 2, {"Station", "Rome"}),
    ],
)  # fmt: skip
async def test_a_line_below_that_may_be_the_header_is_named(
    load: Loader, data: str, line: int, doubted: set[str]
) -> None:
    outcome = await load.load("t", data, options=CREATE)
    said = {column.column for column in outcome.inferred if "holds the names" in column.because}
    assert said == doubted
    for column in outcome.inferred:
        assert column.because.endswith(f"send `header_line={line}`") is (column.column in doubted)
    other = await load.load("u", data, options=replace(CREATE, header_line=str(line)))
    assert not any("holds the names" in column.because for column in other.inferred)
    assert {column.type for column in other.inferred} != {"TEXT"}


@pytest.mark.parametrize(
    "data",
    [
        "name,n\nAnn,NA\nBob,4\nCid,5\n",  # NA is NULL, and n a number
        "n\n−5\n3\n4\n",
        "name,code\nAnn,A1\nBob,4\nCid,B2\nDan,5\n",
        "name,code\nAnn,A1\nBob,A2\nCid,4\n",  # more above than behind
        "name,code\nAnn,Ann\nBob,4\nCid,5\nDan,6\n",  # no names, as two are the same
    ],
)
async def test_rows_with_a_text_among_numbers_are_no_headers(load: Loader, data: str) -> None:
    outcome = await load.load("t", data, options=CREATE)
    assert not any("holds the names" in column.because for column in outcome.inferred)


@pytest.mark.parametrize(
    ("data", "option"),
    [
        ("name age\nAnn 30\nBob 41\n", "send `delimiter=space`"),
        ("name      age\nAnn       30\nBob       41\n", "save the file with a delimiter first"),
        ("name\nAnn Lee\nBob\n", None),
        ("name\nAnn\nBob\n", None),
    ],
)
async def test_words_that_may_be_columns_are_named(
    load: Loader, data: str, option: str | None
) -> None:
    outcome = await load.load("t", data, options=CREATE)
    [column] = outcome.inferred
    assert ("each line has 2 words" in column.because) is (option is not None)
    assert option is None or column.because.endswith(option)
