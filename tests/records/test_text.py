"""Text at the border: stored as sent, found however it is composed, sorted as people do it."""

import unicodedata
from typing import Any

import asyncpg
import pytest

from tests.records.conftest import Client, Service, new_name
from tests.support.profile import only_in_full
from tests.support.waiting import until

ALIKE = ["Crème brûlée", "Ёлка", "Ångström", "Việt Nam", "각하", "ἀρχή", "क़लम"]


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


async def names(ann: Client, path: str, **params: Any) -> list[str]:
    answer = await ann("GET", path, params={"limit": "1000", **params})
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["items"]]


async def filled(ann: Client, *texts: str, searchable: bool = False, kind: str = "TEXT") -> str:
    table = new_name()
    await ann.table(table, {"name": "name", "type": kind, "searchable": searchable})
    await ann.insert(table, *({"name": text} for text in texts))
    return f"/api/tables/{table}/records"


@only_in_full
@pytest.mark.parametrize("searchable", [False, True])
@pytest.mark.parametrize("text", ALIKE)
async def test_composed_and_decomposed_are_found_alike_and_kept_apart(
    service: Service, text: str, searchable: bool
) -> None:
    ann = service.ann
    both = [nfc(text), nfd(text)]
    path = await filled(ann, *both, "other", searchable=searchable)
    assert await names(ann, path) == [*both, "other"]  # stored as sent
    for sent in both:
        for operator in ("eq", "in", "contains", "icontains", "startswith"):
            assert await names(ann, path, **{f"name__{operator}": sent}) == both, operator
        assert await names(ann, path, q=sent) == both
        assert await names(ann, path, q=sent, accents="keep") == both
        assert await names(ann, path, name__ne=sent) == ["other"]
        changed = await ann("PATCH", path, {"name": text}, params={"name": sent})
        assert changed.json() == {"updated": 2}
        await ann("PATCH", f"{path}/1", {"name": both[0]})
        await ann("PATCH", f"{path}/2", {"name": both[1]})


async def test_half_a_letter_is_not_found(service: Service) -> None:
    ann = service.ann
    path = await filled(ann, nfc("née"), nfd("née"), "nee")
    assert await names(ann, path, name__contains="ne") == ["nee"]
    assert await names(ann, path, name__startswith="ne") == ["nee"]
    assert await names(ann, path, name__icontains="NE") == ["nee"]
    assert await names(ann, path, name__icontains="NE", accents="ignore") == [
        nfc("née"),
        nfd("née"),
        "nee",
    ]


@pytest.mark.parametrize("searchable", [False, True])
@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
        ("İstanbul", "istanbul"),
        ("istanbul", "İSTANBUL"),
        ("Straße", "STRASSE"),
        ("strasse", "Straße"),
        ("ЁЛКА", "ёлка"),
        ("ÅNGSTRÖM", "ångström"),
        ("ﬁne", "FINE"),
    ],
)
async def test_search_folds_by_unicode(
    service: Service, stored: str, asked: str, searchable: bool
) -> None:
    ann = service.ann
    path = await filled(ann, stored, "other", searchable=searchable)
    assert await names(ann, path, q=asked) == [stored]
    assert await names(ann, path, name__icontains=asked, accents="ignore") == [stored]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [("Łódź", "lodz"), ("Ёлка", "елка"), ("Zoë", "ZOE"), ("Søren", "soren"), ("naïve", "naive")],
)
async def test_search_ignores_accents_unless_told_otherwise(
    service: Service, stored: str, asked: str
) -> None:
    ann = service.ann
    path = await filled(ann, stored, "other")
    assert await names(ann, path, q=asked) == [stored]
    assert await names(ann, path, q=asked, accents="keep") == []
    assert await names(ann, path, name__icontains=asked) == []
    assert await names(ann, path, name__icontains=asked, accents="ignore") == [stored]
    verb = await ann(
        "GET", "/api/get-records", params={"table_name": path.split("/")[3], "search": asked}
    )
    assert [each["name"] for each in verb.json()["items"]] == [stored]


async def test_short_i_is_a_letter_of_its_own(service: Service) -> None:
    ann = service.ann
    path = await filled(ann, "йод", "иод", nfd("йод"))
    assert await names(ann, path, q="иод") == ["иод"]
    assert await names(ann, path, q="йод") == ["йод", nfd("йод")]


async def test_an_unknown_choice_of_accents_is_named(service: Service) -> None:
    path = await filled(service.ann, "x")
    answer = await service.ann("GET", path, params={"q": "x", "accents": "maybe"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "accents")


PEOPLE = [
    *("anna", "Anna", "Ánna", "Anne", "Ёж", "Ель", "Ежик", "Зоя", "Елка", "Ёлка"),
    *("Zoe", "zoë", "Zoë", "zoe", "Zorn", "Äpfel", "Apfel", "Bär", "École", "eclair", "Élan"),
    *("10", "9", "résumé", "resume", "Resume"),
]
SORTED_LETTERS = [
    *("10", "9", "anna", "anne", "apfel", "bar", "eclair", "ecole", "elan", "resume", "zoe"),
    *("zorn", "еж", "ежик", "елка", "ель", "зоя"),
]


def letters(text: str) -> str:
    return "".join(each for each in nfd(text.casefold()) if not unicodedata.combining(each))


async def test_texts_are_sorted_as_people_do_it(service: Service) -> None:
    ann = service.ann
    path = await filled(ann, *PEOPLE)
    ordered = await names(ann, path, sort="name")
    assert list(dict.fromkeys(map(letters, ordered))) == SORTED_LETTERS
    places = {text: place for place, text in enumerate(ordered)}
    for plain, accented in (
        *(("Anna", "Ánna"), ("Zoe", "Zoë"), ("zoe", "zoë"), ("Елка", "Ёлка"), ("Apfel", "Äpfel")),
        *(("resume", "résumé"), ("Resume", "résumé")),
    ):
        assert places[plain] < places[accented]
    assert await names(ann, path, sort="-name") == ordered[::-1]
    assert await names(ann, path, sort="name:code") == sorted(PEOPLE)
    verb = await ann(
        "GET",
        "/api/get-records",
        params={"table_name": path.split("/")[3], "order_by": "name", "limit": "100"},
    )
    assert [each["name"] for each in verb.json()["items"]] == ordered
    export = await ann("GET", path.replace("records", "export"), params={"sort": "name"})
    assert [line.split(",")[1] for line in export.text.splitlines()[1:]] == ordered


async def test_yo_alone_comes_after_ye(service: Service) -> None:
    path = await filled(service.ann, "Ё", "е", "Е", "ё", "Ж")
    assert await names(service.ann, path, sort="name") == ["Е", "е", "Ё", "ё", "Ж"]


async def test_a_short_i_alone_comes_before_the_same_with_an_accent(service: Service) -> None:
    path = await filled(service.ann, "ма\u0301й", "май", "маи", "майор", "Май")
    ordered = ["маи", "Май", "май", "ма\u0301й", "майор"]
    assert await names(service.ann, path, sort="name") == ordered


ACCENTED = """
SELECT text FROM (
    SELECT format(pattern, chr(code)) AS text
    FROM (SELECT generate_series(33, 591) UNION ALL SELECT generate_series(7680, 7935)
        UNION ALL SELECT generate_series(1024, 1279)) letters (code),
        unnest(ARRAY['%1$s', 'é%1$sÑ', 'x%1$s' || U&'\\0301', 'й%1$s', 'ß%1$sz'])
        AS patterns (pattern)
) texts
WHERE split_part(records.sort_key(text), E'\\x01', 1) <> records.unaccented(text)"""


async def test_the_ways_to_a_sort_key_agree(service: Service) -> None:
    connection = await asyncpg.connect(service.database.url("records"))
    assert await connection.fetch(ACCENTED) == []
    await connection.close()


@pytest.mark.parametrize("kind", ["TEXT", "VARCHAR(40)", "CHAR(12)"])
@pytest.mark.parametrize("sort", ["name", "-name", "name:code", "-name:code"])
async def test_cursors_walk_in_that_order(service: Service, sort: str, kind: str) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, f"name {kind}", "n INT")
    values = [*PEOPLE, None, "Anna", None, nfd("Zoë")]
    await ann.insert(table, *({"name": text, "n": place} for place, text in enumerate(values)))
    path = f"/api/tables/{table}/records"
    whole = (await ann("GET", path, params={"sort": sort, "limit": "1000"})).json()["items"]
    assert len(whole) == len(values)
    walked: list[Any] = []
    following: str | None = f"{path}?sort={sort}&limit=3"
    while following is not None:
        page = (await ann("GET", following)).json()
        walked += page["items"]
        following = page["next"]
    assert walked == whole


async def test_the_order_of_a_cursor_is_its_own(service: Service) -> None:
    ann = service.ann
    path = await filled(ann, *PEOPLE)
    page = (await ann("GET", path, params={"sort": "name", "limit": "2"})).json()
    cursor = page["next"].partition("cursor=")[2]
    answer = await ann("GET", f"{path}?sort=name:code&limit=2&cursor={cursor}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


async def test_code_points_are_for_texts(service: Service) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "n INT")
    answer = await ann("GET", f"/api/tables/{table}/records", params={"sort": "n:code"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "sort")


async def test_a_change_by_nothing_but_accents_is_refused(service: Service) -> None:
    path = await filled(service.ann, "x")
    for query in ({"q": "\u0301"}, {"name__icontains": "\u0301", "accents": "ignore"}):
        answer = await service.ann("DELETE", path, params=query)
        assert answer.json()["errors"][0]["code"] == "rules_nothing_out"


@only_in_full
@pytest.mark.parametrize(
    "query",
    [
        {"q": "zoe77"},
        {"name__icontains": "Zoë77"},
        {"name__contains": "Zoë77"},
        {"name__startswith": "Zoë77"},
        {"name__icontains": "zoe77", "accents": "ignore"},
    ],
)
async def test_a_searchable_column_is_searched_by_its_index(
    service: Service, query: dict[str, str]
) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, {"name": "name", "type": "TEXT", "searchable": True})
    connection = await asyncpg.connect(service.database.url("records"))
    await connection.execute(
        f"INSERT INTO data.\"{table}\" (name) SELECT 'Zoë' || i FROM generate_series(1, 30000) i"
    )
    await connection.execute(f'ANALYZE data."{table}"')
    scans = (
        "SELECT idx_scan FROM pg_stat_user_indexes WHERE relname = $1 AND indexrelname LIKE '%idx'"
    )
    before = await connection.fetchval(scans, table)
    found = await names(ann, f"/api/tables/{table}/records", **query)
    assert all(each.startswith("Zoë77") for each in found)
    assert len(found) == 111

    async def is_counted() -> bool:
        return bool(await connection.fetchval(scans, table) > before)

    await until("the index was used", is_counted)
    await connection.close()
    described = (await ann("GET", f"/api/tables/{table}")).json()["columns"][0]
    assert described["searchable"] is True
    change = {"alter": [{"name": "name", "searchable": False}]}
    answer = await ann("PATCH", f"/api/tables/{table}", change)
    assert answer.json()["columns"][0]["searchable"] is False
