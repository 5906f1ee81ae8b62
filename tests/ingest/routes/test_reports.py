"""Profiles and reports of imports: what they say, and to whom."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import peer, person

OWNER = person("owner@example.com")
STRANGER = person("stranger@example.com")
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>"
FILE = f"""name,age
Ann,31
Bob,42
{HOSTILE},7
Cid,old
Dan,older
Eve,31
""".encode()


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture
async def loaded(ingest: Ingest) -> dict[str, object]:
    """An import of six rows, two of them refused, into a table that Ann may read."""
    ingest.peers.owners["people"] = OWNER.sub
    async with ingest.working():
        return await ingest.finished(await ingest.submit(FILE))


async def test_a_profile_counts_the_rows_that_were_in_order(
    ingest: Ingest, loaded: dict[str, object]
) -> None:
    answer = await ingest.get(f"/api/imports/{loaded['id']}/profile")
    assert answer.status_code == 200, answer.text
    profile = answer.json()
    assert (profile["import"], profile["table"], profile["rows"]) == (loaded["id"], "people", 4)
    assert profile["sampled_rows"] is None
    name, age = profile["columns"]
    assert (name["column"], name["type"], name["distinct"]) == ("name", "TEXT", 4)
    assert (age["nulls"], age["distinct"], age["distinct_approximate"]) == (0, 3, False)
    assert (age["min"], age["max"], age["mean"]) == ("7", "42", 27.75)
    assert age["common"][0] == {"value": "31", "count": 2}
    assert sum(each["count"] for each in age["histogram"]) == 4
    assert set(age["histogram"][0]) == {"from", "to", "count"}


async def test_a_picture_holds_text_and_no_markup_of_others(
    ingest: Ingest, loaded: dict[str, object]
) -> None:
    answer = await ingest.get(f"/api/imports/{loaded['id']}/profile", format="svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    picture = ET.fromstring(answer.text)
    tags = {element.tag.rpartition("}")[2] for element in picture.iter()}
    assert tags == {"svg", "title", "style", "rect", "text", "tspan", "g", "line"}
    assert any("<script>" in (element.text or "") for element in picture.iter())


async def test_a_profile_is_for_those_alone_who_may_read_the_table(
    ingest: Ingest, loaded: dict[str, object]
) -> None:
    path = f"/api/imports/{loaded['id']}/profile"
    assert (await ingest.get(path, caller=OWNER)).status_code == 200
    assert (await ingest.get(path, caller=STRANGER)).status_code == 404
    ingest.peers.strangers.add(ANN.sub)
    assert (await ingest.get(path)).status_code == 404
    report = await ingest.get(f"/api/imports/{loaded['id']}/report")
    assert report.status_code == 200
    assert "What is in the rows" not in report.text


async def test_a_table_made_again_under_the_name_shows_nothing_of_the_old_one(
    ingest: Ingest, loaded: dict[str, object]
) -> None:
    await ingest.owner.execute("DROP TABLE data.people")
    await ingest.peers.make_table("people", {"name": "text"})
    answer = await ingest.get(f"/api/imports/{loaded['id']}/profile", caller=OWNER)
    assert answer.status_code == 404
    of_table = await ingest.get("/internal/profiles", caller=peer("catalog"), table="people")
    assert of_table.status_code == 404


async def test_peers_get_the_newest_profile_of_a_table(
    ingest: Ingest, loaded: dict[str, object]
) -> None:
    catalog = peer("catalog")
    async with ingest.working():
        second = await ingest.finished(await ingest.submit(b"name,age\nZoe,5\n"))
        tried = await ingest.finished(
            await ingest.submit(b"name,age\nYan,6\n", dry_run="true"),
        )
    await ingest.owner.execute("ALTER TABLE data.people RENAME TO folk")
    newest = await ingest.get("/internal/profiles", caller=catalog, table="folk")
    assert (newest.json()["import"], newest.json()["table"]) == (second["id"], "folk")
    first = await ingest.get(
        "/internal/profiles", caller=catalog, table="folk", **{"import": loaded["id"]}
    )
    assert first.json()["rows"] == 4
    picture = await ingest.get("/internal/profiles/picture", caller=catalog, table="folk")
    assert picture.json()["svg"].startswith("<svg")
    assert (await ingest.get("/internal/profiles", caller=ANN, table="folk")).status_code == 403
    ingest.peers.owners["folk"] = OWNER.sub
    assert (await ingest.get(f"/api/imports/{tried['id']}/profile")).json()["rows"] == 1


async def test_a_dry_run_into_a_table_that_it_would_make(ingest: Ingest) -> None:
    async with ingest.working():
        tried = await ingest.finished(
            await ingest.submit(b"a\n1\n2\n", table="fresh", create_table="true", dry_run="true")
        )
    profile = (await ingest.get(f"/api/imports/{tried['id']}/profile")).json()
    assert (profile["table"], profile["rows"]) == (None, 2)


async def test_what_failed_has_a_report_and_no_profile(ingest: Ingest) -> None:
    async with ingest.working():
        failed = await ingest.finished(await ingest.submit(b"name,age\nAnn,old\n"))
    assert failed["error"]["code"] == "no_row_fits"
    answer = await ingest.get(f"/api/imports/{failed['id']}/profile")
    assert answer.status_code == 404
    assert "no profile" in answer.json()["detail"]
    page = (await ingest.get(f"/api/imports/{failed['id']}/report")).text
    assert "no_row_fits" in page
    assert "What is in the rows" not in page


async def test_a_report_is_one_page_that_runs_nothing(
    ingest: Ingest, loaded: dict[str, object]
) -> None:
    answer = await ingest.get(f"/api/imports/{loaded['id']}/report")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = answer.text
    elements = Elements()
    elements.feed(page)
    assert elements.tags.isdisjoint({"script", "img", "link", "iframe", "object", "form", "base"})
    assert elements.attributes.isdisjoint({"src", "style", "onerror", "onload", "srcset"})
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert not re.search(r"url\(|@import", style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    said = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))
    for words in (
        f"Import {loaded['id']} succeeded, 2 rows refused",
        "type_mismatch in age", "2 rows, first on line 5", "older",
        "people.csv → data.people", "csv", "What is in the rows", "mean 27.75",
    ):  # fmt: skip
        assert words in said, words


async def test_the_owner_of_the_table_sees_no_refused_cells_of_others(
    ingest: Ingest, loaded: dict[str, object]
) -> None:
    page = (await ingest.get(f"/api/imports/{loaded['id']}/report", caller=OWNER)).text
    assert "type_mismatch in age" in page
    assert "The first refused rows" not in page
    assert "What is in the rows" in page


async def test_the_report_is_attached_to_the_submitters_own_mail(ingest: Ingest) -> None:
    ingest.peers.owners["people"] = OWNER.sub
    async with ingest.working():
        own = await ingest.finished(await ingest.submit(FILE, email="ann@example.com"))
        other = await ingest.submit(b"name,age\nZoe,5\n", email="b@example.com")
        assert (await ingest.finished(other))["state"] == "succeeded"
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
    mails = {mail["to"]: mail for mail in ingest.mailbox.received}
    (report,) = mails["ann@example.com"].iter_attachments()
    assert report.get_filename() == f"import-{own['id']}-report.html"
    assert report.get_content_type() == "text/html"
    page = report.get_content()
    assert "What is in the rows" in page
    assert f'href="{ingest.settings.public_url}/api/imports/{own["id"]}/rejects"' in page
    assert f'href="{ingest.settings.public_url}/app/imports/{own["id"]}"' in page
    # Whoever reads another address may not be one who may read the table.
    assert list(mails["b@example.com"].iter_attachments()) == []
