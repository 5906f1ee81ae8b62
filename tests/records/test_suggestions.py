"""Refusals of unknown tables, columns and fields name what was probably meant."""

from tests.records.conftest import Service


def message_of(answer: object) -> str:
    (error,) = answer.json()["errors"]  # type: ignore[attr-defined]
    return str(error["message"])


async def test_a_table_with_a_name_alike_is_suggested_to_those_who_may_see_it(
    service: Service,
) -> None:
    await service.ann.table("Suggestible", {"name": "a", "type": "TEXT"})
    for path in ("/api/tables/Sugestible", "/api/tables/Sugestible/records"):
        answer = await service.ann("GET", path)
        assert answer.status_code == 404
        assert answer.json()["detail"].endswith("did you mean 'Suggestible'?")
        other = await service.bob("GET", path)
        assert "Suggestible" not in other.text
    grant = {"level": "viewer"}
    await service.ann("PUT", "/api/tables/Suggestible/grants/bob@example.com", grant)
    assert "did you mean 'Suggestible'?" in (await service.bob("GET", path)).json()["detail"]


async def test_a_table_that_may_not_be_seen_looks_as_one_that_is_not_there(
    service: Service,
) -> None:
    await service.ann.table("Hidden1", {"name": "a", "type": "TEXT"})
    await service.ann.table("Hidden2", {"name": "a", "type": "TEXT"})
    for name in ("Hidden2", "Hidden9"):
        answer = await service.carol("GET", f"/api/tables/{name}")
        assert answer.json()["detail"] == f"there is no table {name!r} that you may see"


async def test_columns_with_a_name_alike_are_suggested(service: Service) -> None:
    await service.ann.table("Meant", {"name": "email", "type": "TEXT"})
    records = "/api/tables/Meant/records"
    answers = [
        await service.ann("POST", records, {"emial": "a"}),
        await service.ann("GET", f"{records}?emial=a"),
        await service.ann("GET", f"{records}?emial__contains=a"),
        await service.ann("GET", f"{records}?sort=emial"),
        await service.ann("GET", f"{records}?fields=emial"),
        await service.ann("PATCH", "/api/tables/Meant", {"drop": ["emial"]}),
    ]
    for answer in answers:
        assert "did you mean 'email'?" in message_of(answer)
    for near_a_hidden_one in ("_imports", "versions"):
        answer = await service.ann("POST", records, {near_a_hidden_one: 1})
        assert "did you mean" not in answer.text


async def test_fields_with_a_name_alike_are_suggested(service: Service) -> None:
    await service.ann.table("Fields", {"name": "email", "type": "TEXT"})
    answer = await service.ann("PATCH", "/api/tables/Fields", {"renam": "x"})
    assert message_of(answer) == "this field is not known, did you mean 'rename'?"
    column = {"name": "a", "type": "TEXT", "rules": {"maximum_length": 1}}
    answer = await service.ann("PATCH", "/api/tables/Fields", {"add": [column]})
    assert "did you mean 'max_length'?" in message_of(answer)
