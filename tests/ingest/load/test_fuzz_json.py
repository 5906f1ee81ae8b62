"""Made-up JSON against the plain reading of the type table: scalars by their JSON type first."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.domain.options import ImportOptions
from services.ingest.errors import NoRowFitsError
from services.ingest.read.limits import Limits
from tests.ingest.load.loading import Column, Loader
from tests.ingest.load.plain_reading import Refused, canonical_json, read_cell
from tests.ingest.load.test_fuzz import FITTING, comparable, fits
from tests.support.profile import examples
from tests.support.spellings import SPELLINGS, TYPES

NUMBERS = (
    "0", "-0", "1", "-7", "32768", "3000000000", "12345678901234567890", "1.5", "1.50", "-0.001",
    "1e2", "1E-2", "999.99", "1000", "1e400", "0.0",
)  # fmt: skip
NESTED = ("{}", "[]", '{"a": [1, 2.50, null]}', '[true, "x"]')


@dataclass(frozen=True)
class Written:
    """A value as it stands in the file."""

    text: str

    @property
    def is_nested(self) -> bool:
        return self.text[0] in "{["


any_value = st.one_of(
    st.sampled_from(SPELLINGS).map(lambda text: Written(json.dumps(text, ensure_ascii=False))),
    st.sampled_from(SPELLINGS).map(lambda text: Written(json.dumps(text))),
    st.sampled_from(NUMBERS).map(Written),
    st.sampled_from(["true", "false", "null"]).map(Written),
    st.sampled_from(NESTED).map(Written),
)


def values(kind: str) -> st.SearchStrategy[Written | None]:
    """Mostly what fits the type, so that rows land."""
    fitting = [json.dumps(text) for text in FITTING[kind]]
    fitting += [number for number in NUMBERS if number in FITTING[kind] or fits(number, kind)]
    fitting += ["null"] + ["true", "false"] * (kind == "BOOLEAN")
    fitting += [*NESTED, *NUMBERS, '"s"', "true"] * (kind == "JSON")
    mostly = st.sampled_from(fitting).map(Written)
    return st.integers(0, 9).flatmap(lambda dice: (st.none() | any_value) if not dice else mostly)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[tuple[str, bool]], list[list[Written | None]]]:
    types = draw(st.lists(st.tuples(st.sampled_from(TYPES), st.booleans()), min_size=1, max_size=5))
    row = st.tuples(*[values(kind) for kind, _ in types]).map(list)
    return types, draw(st.lists(row, max_size=10))


def meant(value: Written | None, kind: str, *, nullable: bool) -> Any:
    """What must land; raises Refused."""
    if value is None or value.text == "null":
        return read_cell("", quoted=False, spelled=kind, nullable=nullable)
    if kind == "JSON":
        if r"\u0000" in value.text:
            raise Refused("type_mismatch")
        return canonical_json(value.text)
    if value.is_nested:
        raise Refused("type_mismatch")
    quoted = value.text[0] == '"'
    text = json.loads(value.text) if quoted else value.text
    return read_cell(text, quoted=quoted, spelled=kind, nullable=nullable)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # long reports
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    table=tables(),
    array=st.booleans(),
    block=st.sampled_from([1, 9, 1 << 20]),
)
async def test_json_lands_as_the_type_table_says(
    load: Loader,
    table: tuple[list[tuple[str, bool]], list[list[Written | None]]],
    array: bool,
    block: int,
) -> None:
    types, rows = table
    everything = ", ".join(f'"c{at}": null' for at in range(len(types)))
    elements = [f'{{{everything}, "_head": 1}}']
    expected: list[list[Any]] = []
    reasons: list[tuple[int, str | None, str]] = []
    head: list[Written | None] = [None] * len(types)
    for number, row in enumerate([head, *rows], 1):
        cells = dict(zip((f"c{at}" for at in range(len(types))), row, strict=True))
        if number > 1:
            inside = (f'"{name}": {cell.text}' for name, cell in cells.items() if cell)
            elements.append("{" + ", ".join(inside) + "}")
        found: list[Any] = []
        wrong: list[tuple[int, str | None, str]] = []
        for name, (kind, nullable) in zip(cells, types, strict=True):
            try:
                found.append(meant(cells[name], kind, nullable=nullable))
            except Refused as refused:
                wrong.append((number, name, refused.code))
        reasons += wrong
        if not wrong:
            expected.append(found)
    text = f"[{','.join(elements)}]" if array else "\n".join(elements)
    await load.owner.execute('DROP TABLE IF EXISTS data."t"')
    await load.rejects.restart()
    await load.make_table(
        "t", [Column(f"c{at}", kind, nullable=null) for at, (kind, null) in enumerate(types)]
    )
    options = ImportOptions(mapping={"_head": None})
    with pytest.raises(NoRowFitsError) if not expected else nullcontext():
        await load.load("t", text, options=options, limits=Limits(block_bytes=block))
    json_at = {at for at, (kind, _) in enumerate(types) if kind == "JSON"}
    landed = [
        [canonical_json(v) if at in json_at and v is not None else v for at, v in enumerate(row)]
        for row in await load.rows("t", ", ".join(f"c{at}" for at in range(len(types))))
    ]
    assert load.rejects.reasons == reasons
    assert [list(map(comparable, row)) for row in landed] == [
        list(map(comparable, row)) for row in expected
    ]
