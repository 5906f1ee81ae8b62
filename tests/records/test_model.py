"""Random DDL and CRUD against a model in plain Python: no difference, whatever the order."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.records.conftest import Service, new_name
from tests.support.profile import examples, only_in_full

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TEXT": TEXTS,
    "INTEGER": st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 3),
    "BIGINT": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    "NUMERIC(10,2)": st.decimals(-1000, 1000, places=2),
    "BOOLEAN": st.booleans(),
    "DATE": st.dates(),
}
TYPES = st.sampled_from(sorted(VALUES))
NAMES = st.sampled_from(["a", "b", "Größe", "order", "q", "limit"])


def sent(value: Any) -> Any:
    """A model's value as it goes over the wire."""
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def comparable(value: Any) -> Any:
    """A value of the wire or of the model, so that equal ones are equal."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


@dataclass
class Column:
    type: str
    nullable: bool
    unique: bool
    default: Any


@dataclass
class Model:
    columns: dict[str, Column] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)


class Records(RuleBasedStateMachine):
    """One table at a time, changed and filled at random."""

    call: Callable[..., httpx2.Response]

    def __init__(self) -> None:
        super().__init__()
        self.name = new_name("Model")
        self.model = Model()
        made = self.call("POST", "/api/tables", json={"name": self.name, "columns": []})
        assert made.status_code == 201

    @property
    def path(self) -> str:
        return f"/api/tables/{self.name}"

    def teardown(self) -> None:
        assert self.call("DELETE", self.path).status_code == 204

    @rule(name=NAMES, kind=TYPES, nullable=st.booleans(), unique=st.booleans(), data=st.data())
    def add_column(
        self, name: str, kind: str, nullable: bool, unique: bool, data: st.DataObject
    ) -> None:
        default = data.draw(st.none() | VALUES[kind])
        column = Column(kind, nullable, unique, default)
        definition = {
            "name": name,
            "type": kind,
            "nullable": nullable,
            "unique": unique,
            "default": sent(default),
        }
        answer = self.call("PATCH", self.path, json={"add": [definition]})
        rows = len(self.model.rows)
        impossible = (rows and not nullable and default is None) or (
            rows > 1 and unique and default is not None
        )
        if name in self.model.columns or impossible:
            assert answer.status_code == 409, answer.text
            return
        assert answer.status_code == 200, answer.text
        self.model.columns[name] = column
        for row in self.model.rows.values():
            row[name] = default

    @precondition(lambda self: self.model.columns)
    @rule(data=st.data())
    def drop_column(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.columns)))
        assert self.call("PATCH", self.path, json={"drop": [name]}).status_code == 200
        del self.model.columns[name]
        for row in self.model.rows.values():
            del row[name]

    @precondition(lambda self: self.model.columns)
    @rule(data=st.data(), new=NAMES)
    def rename_column(self, data: st.DataObject, new: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.columns)))
        answer = self.call("PATCH", self.path, json={"alter": [{"name": name, "rename": new}]})
        if new != name and new in self.model.columns:
            assert answer.status_code == 409
            return
        assert answer.status_code == 200, answer.text
        self.model.columns[new] = self.model.columns.pop(name)
        for row in self.model.rows.values():
            row[new] = row.pop(name)

    @precondition(lambda self: self.model.columns)
    @rule(data=st.data(), nullable=st.booleans(), unique=st.booleans())
    def constrain(self, data: st.DataObject, nullable: bool, unique: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.columns)))
        change = {"name": name, "nullable": nullable, "unique": unique}
        answer = self.call("PATCH", self.path, json={"alter": [change]})
        values = [row[name] for row in self.model.rows.values()]
        given = [value for value in values if value is not None]
        if (not nullable and len(given) < len(values)) or (unique and len(set(given)) < len(given)):
            assert answer.status_code == 409, answer.text
            return
        assert answer.status_code == 200, answer.text
        self.model.columns[name].nullable = nullable
        self.model.columns[name].unique = unique

    def drawn(self, data: st.DataObject) -> dict[str, Any]:
        return data.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    name: (st.none() | VALUES[column.type])
                    for name, column in self.model.columns.items()
                },
            )
        )

    def verdict(self, row: dict[str, Any], *, but: int | None = None) -> int:
        """The status that a row must get: 422 for NULL where none may be, 409 for a taken value."""
        if any(not self.model.columns[name].nullable and row[name] is None for name in row):
            return 422
        for name, column in self.model.columns.items():
            others = (each[name] for key, each in self.model.rows.items() if key != but)
            if column.unique and row[name] is not None and row[name] in others:
                return 409
        return 200

    def completed(self, given: dict[str, Any]) -> dict[str, Any]:
        return {
            name: given.get(name, column.default) for name, column in self.model.columns.items()
        }

    @rule(data=st.data(), count=st.integers(1, 3), as_array=st.booleans())
    def insert(self, data: st.DataObject, count: int, as_array: bool) -> None:
        given = [self.drawn(data) for _ in range(count if as_array else 1)]
        body = [{name: sent(value) for name, value in each.items()} for each in given]
        answer = self.call("POST", f"{self.path}/records", json=body if as_array else body[0])
        kept = dict(self.model.rows)
        rows = [self.completed(each) for each in given]
        verdicts = []
        for place, row in enumerate(rows):
            verdicts.append(self.verdict(row))
            self.model.rows[-place - 1] = row
        self.model.rows = kept
        if any(status != 200 for status in verdicts):
            wanted = 422 if 422 in verdicts else 409
            assert answer.status_code == wanted, answer.text
            return
        assert answer.status_code == 201, answer.text
        ids = answer.json()["ids"] if as_array else [answer.json()["id"]]
        assert len(ids) == len(rows)
        self.model.rows.update(zip(ids, rows, strict=True))

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), method=st.sampled_from(["PATCH", "PUT"]))
    def write(self, data: st.DataObject, method: str) -> None:
        record_id = data.draw(st.sampled_from(sorted(self.model.rows)))
        given = self.drawn(data)
        body = {name: sent(value) for name, value in given.items()}
        answer = self.call(method, f"{self.path}/records/{record_id}", json=body)
        old = self.model.rows[record_id]
        row = {**old, **given} if method == "PATCH" else self.completed(given)
        status = self.verdict(row, but=record_id)
        assert answer.status_code == status, answer.text
        if status == 200:
            self.model.rows[record_id] = row

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        record_id = data.draw(st.sampled_from(sorted(self.model.rows)))
        answer = self.call("DELETE", f"{self.path}/records/{record_id}")
        assert answer.status_code == 204
        del self.model.rows[record_id]

    @precondition(lambda self: self.model.columns and self.model.rows)
    @rule(data=st.data())
    def filter_by_value(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.columns)))
        row = data.draw(st.sampled_from(sorted(self.model.rows)))
        value = self.model.rows[row][name]
        if value is None:
            parameters = {f"{name}__isnull": "true"}
        else:
            text = str(value).lower() if isinstance(value, bool) else str(sent(value))
            parameters = {f"{name}__eq": text}
        found = self.call("GET", f"{self.path}/records", params={**parameters, "limit": 1000})
        assert found.status_code == 200, found.text
        assert {each["id"] for each in found.json()["items"]} == {
            key for key, each in self.model.rows.items() if each[name] == value
        }

    @rule(data=st.data(), limit=st.integers(1, 4))
    def walk(self, data: st.DataObject, limit: int) -> None:
        names = sorted(self.model.columns)
        keys = data.draw(
            st.lists(
                st.tuples(st.sampled_from(names), st.booleans()),
                max_size=2,
                unique_by=lambda key: key[0],
            )
            if names
            else st.just([])
        )
        sort = ",".join(("-" if descending else "") + name for name, descending in keys)
        path: str | None = f"{self.path}/records?limit={limit}&sort={sort}"
        walked = []
        while path is not None:
            answer = self.call("GET", path)
            assert answer.status_code == 200, answer.text
            body = json.loads(answer.text, parse_float=Decimal)
            walked += body["items"]
            path = body["next"]
        expected = [{"id": key, **row} for key, row in sorted(self.model.rows.items())]
        for name, descending in reversed(keys):
            expected.sort(
                key=lambda row: (row[name] is None, 0 if row[name] is None else row[name]),
                reverse=descending,
            )
        assert [{name: comparable(value) for name, value in row.items()} for row in walked] == [
            {name: comparable(value) for name, value in row.items()} for row in expected
        ]


@only_in_full
async def test_random_tables_and_records_are_as_the_model_says(
    service: Service,
) -> None:
    headers = service.ann.headers

    def run() -> None:
        with httpx2.Client(base_url=service.url, trust_env=False, timeout=60) as http:

            class Bound(Records):
                @staticmethod
                def call(method: str, path: str, **more: Any) -> httpx2.Response:
                    return http.request(method, path, headers=headers, **more)

            run_state_machine_as_test(
                Bound,
                settings=settings(
                    max_examples=examples(25),
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )

    # The machine is synchronous, and the service runs in this loop.
    await asyncio.to_thread(run)
