"""Owners are equal, and one is always left."""

import asyncio

import pytest

from tests.records.conftest import ANN, BOB, CAROL, Service, new_name


async def shared(service: Service) -> tuple[str, str]:
    """A table of Ann's that Bob owns too; its grants' path."""
    table = new_name()
    await service.ann.table(table, "a TEXT")
    for subject in (ANN, BOB, CAROL):
        service.issuer.know(subject)
    path = f"/api/tables/{table}/grants"
    given = await service.ann("PUT", f"{path}/{BOB.email}", {"level": "owner"})
    assert given.status_code == 200
    return table, path


async def levels(service: Service, table: str) -> dict[str, str | int]:
    """What Ann and Bob may do, as the table tells them; a status where they see nothing."""
    answers = {}
    for name, client in (("ann", service.ann), ("bob", service.bob)):
        answer = await client("GET", f"/api/tables/{table}")
        answers[name] = answer.json()["level"] if answer.is_success else answer.status_code
    return answers


async def test_the_maker_is_lowered_by_another_owner(service: Service) -> None:
    table, path = await shared(service)
    put = await service.bob("PUT", f"{path}/{ANN.email}", {"level": "viewer"})
    assert (put.status_code, put.json()["level"]) == (200, "viewer")
    assert await levels(service, table) == {"ann": "viewer", "bob": "owner"}
    refused = await service.ann("POST", f"/api/tables/{table}/records", {"a": "x"})
    assert refused.status_code == 403
    assert (await service.bob("GET", f"/api/tables/{table}")).json()["owner"] == BOB.email
    listed = (await service.bob("GET", path)).json()["items"]
    assert [(each["identifier"], each["level"]) for each in listed] == [(ANN.email, "viewer")]


async def test_the_maker_is_shut_out_by_another_owner(service: Service) -> None:
    table, path = await shared(service)
    assert (await service.bob("DELETE", f"{path}/{ANN.email}")).status_code == 204
    assert await levels(service, table) == {"ann": 404, "bob": "owner"}
    names = [each["name"] for each in (await service.ann("GET", "/api/tables")).json()["items"]]
    assert table not in names


async def test_owners_may_step_down_while_another_is_left(service: Service) -> None:
    table, path = await shared(service)
    assert (await service.ann("PUT", f"{path}/{ANN.email}", {"level": "editor"})).is_success
    assert await levels(service, table) == {"ann": "editor", "bob": "owner"}
    back = await service.bob("PUT", f"{path}/{ANN.email}", {"level": "owner"})
    assert back.is_success
    assert (await service.ann("DELETE", f"{path}/{BOB.email}")).status_code == 204
    assert await levels(service, table) == {"ann": "owner", "bob": 404}


@pytest.mark.parametrize(("method", "body"), [("PUT", {"level": "viewer"}), ("DELETE", None)])
async def test_the_last_owner_stays(service: Service, method: str, body: object) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    service.issuer.know(ANN)
    service.issuer.know(BOB)
    path = f"/api/tables/{table}/grants"
    await service.ann("PUT", f"{path}/{BOB.email}", {"level": "editor"})
    for client in (service.ann, service.admin):
        for identifier in (ANN.email, ANN.sub):
            answer = await client(method, f"{path}/{identifier}", body)
            assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    assert (await levels(service, table))["ann"] == "owner"
    listed = (await service.ann("GET", path)).json()["items"]
    assert [each["identifier"] for each in listed] == [BOB.email]


async def test_to_own_what_one_owns_changes_nothing(service: Service) -> None:
    table, path = await shared(service)
    answer = await service.bob("PUT", f"{path}/{ANN.email}", {"level": "owner"})
    assert (answer.status_code, answer.json()["level"]) == (200, "owner")
    assert await levels(service, table) == {"ann": "owner", "bob": "owner"}


async def test_two_owners_cannot_lower_each_other_at_once(service: Service) -> None:
    for _ in range(5):
        table, path = await shared(service)
        answers = await asyncio.gather(
            service.ann("PUT", f"{path}/{BOB.email}", {"level": "viewer"}),
            service.bob("PUT", f"{path}/{ANN.email}", {"level": "viewer"}),
        )
        assert {answer.status_code for answer in answers} <= {200, 403, 409}
        assert "owner" in (await levels(service, table)).values()
