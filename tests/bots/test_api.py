import hashlib

import httpx

from bots.building import zip_of
from bots.conftest import OpenClient

URL = "/api/v1/bots"
ZIP = {"content-type": "application/zip"}


def content(mark: str = "1") -> bytes:
    declared = (
        'name = "Orders"\ndescription = "Orders."\n[inputs]\nday = {type = "string", format = "date"}\n'
    )
    return zip_of(
        {"controlroom.toml": declared, "main.py": f"print({mark})\n", "requirements.txt": "httpx\n"}
    )


async def publish(client: httpx.AsyncClient, data: bytes | None = None, **params: str) -> httpx.Response:
    return await client.post(URL, content=data or content(), headers=ZIP, params=params)


async def test_publishing_answers_201_and_then_200(client: httpx.AsyncClient) -> None:
    first = await publish(client, note="first")
    assert first.status_code == 201
    body = first.json()
    assert body["created"] is True
    assert (body["bot"]["name"], body["bot"]["current_version"], body["bot"]["latest_version"]) == (
        "Orders",
        1,
        1,
    )
    assert body["bot"]["description"] == "Orders."
    assert body["version"]["sha256"] == hashlib.sha256(content()).hexdigest()
    assert body["version"]["manifest"]["inputs"]["required"] == ["day"]
    assert [warning["code"] for warning in body["warnings"]] == ["unpinned"]
    again = await publish(client)
    assert (again.status_code, again.json()["created"]) == (200, False)
    shown = await client.get(first.headers["location"])
    assert shown.json() == body["version"]


async def test_a_bot_is_shown_by_id_and_by_name_with_its_etag(client: httpx.AsyncClient) -> None:
    bot = (await publish(client)).json()["bot"]
    by_id, by_name = [await client.get(f"{URL}/{reference}") for reference in (bot["id"], "Orders")]
    assert by_id.json() == by_name.json() == bot
    assert by_id.headers["etag"] == '"1"'
    assert (await client.get(URL)).json() == {"items": [bot], "next_cursor": None}


async def test_an_edit_needs_the_etag_that_was_read(client: httpx.AsyncClient) -> None:
    await publish(client)
    change = {"description": "new", "most_at_once": 2}
    without = await client.patch(f"{URL}/Orders", json=change)
    assert (without.status_code, without.json()["code"]) == (428, "precondition_required")
    stale = await client.patch(f"{URL}/Orders", json=change, headers={"if-match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "changed_meanwhile")
    done = await client.patch(f"{URL}/Orders", json=change, headers={"if-match": '"1"'})
    assert done.status_code == 200
    assert (done.json()["description"], done.json()["most_at_once"]) == ("new", 2)
    assert done.headers["etag"] == '"2"'


async def test_versions_are_listed_compared_rolled_back_and_retired(client: httpx.AsyncClient) -> None:
    await publish(client)
    await publish(client, content("2"))
    versions = (await client.get(f"{URL}/Orders/versions")).json()["items"]
    assert [(version["number"], version["is_current"]) for version in versions] == [(2, True), (1, False)]
    comparison = (await client.get(f"{URL}/Orders/compare", params={"before": 1, "after": 2})).json()
    assert [change["path"] for change in comparison["changes"]] == ["main.py"]
    assert comparison["same_files"] == 2
    back = await client.put(f"{URL}/Orders/current", json={"number": 1})
    assert (back.status_code, back.json()["current_version"]) == (200, 1)
    retired = await client.post(f"{URL}/Orders/versions/2/retire")
    assert retired.json()["retired_at"] is not None
    refused = await client.put(f"{URL}/Orders/current", json={"number": 2})
    assert (refused.status_code, refused.json()["code"]) == (409, "version_retired")
    used = await client.post(f"{URL}/Orders/versions/2/unretire")
    assert used.json()["retired_at"] is None


async def test_a_package_is_downloaded_as_it_was_published(client: httpx.AsyncClient) -> None:
    await publish(client)
    answer = await client.get(f"{URL}/Orders/versions/1/package")
    assert answer.content == content()
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["etag"] == f'"{hashlib.sha256(content()).hexdigest()}"'
    assert "Orders-1.zip" in answer.headers["content-disposition"]
    assert "cache-control" not in answer.headers  # the server then says no-store
    part = await client.get(f"{URL}/Orders/versions/1/package", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PK\x03\x04")


async def test_a_publish_that_cannot_stand_is_a_clear_refusal(client: httpx.AsyncClient) -> None:
    refusals: list[tuple[bytes | None, dict[str, str], int, str]] = [
        (b"not a zip", {}, 422, "not_a_zip"),
        (zip_of({"a": "x"}), {}, 422, "declaration_invalid"),
        (None, {"sha256": "0" * 64}, 422, "invalid"),
        (None, {"name": "a/b"}, 422, "name_invalid"),
        (None, {"name": "bot_x"}, 422, "name_invalid"),
        (None, {"folder": "/a\0b"}, 422, "name_invalid"),
        (None, {"note": "a\0b"}, 422, "invalid"),
        (bytes(1_100_000), {}, 413, "package_too_large"),
    ]
    for data, params, status, code in refusals:
        answer = await publish(client, data, **params)
        assert (answer.status_code, answer.json()["code"]) == (status, code), params


async def test_a_form_is_told_to_send_the_zip_itself(client: httpx.AsyncClient) -> None:
    answer = await client.post(URL, files={"file": ("a.zip", content())})
    assert answer.status_code == 422
    assert "not as a form" in answer.json()["detail"]


async def test_what_is_not_there_is_said(client: httpx.AsyncClient) -> None:
    await publish(client)
    for path, status in (
        ("/Nothing", 404),
        ("/Nothing/versions", 404),
        ("/%00", 404),
        ("/Orders/versions/9", 404),
        ("/Orders/versions/0", 422),
        ("/Orders/versions/99999999999999999999", 422),
        ("/Orders/compare?before=1&after=9", 404),
        ("/Orders/compare?before=1", 422),
        ("/Orders/versions/9/package", 404),
    ):
        assert (await client.get(f"{URL}{path}")).status_code == status, path


async def test_rights_are_needed(clients: OpenClient) -> None:
    nobody, viewer = await clients(None), await clients("viewer")
    assert (await publish(nobody)).status_code == 401
    assert (await nobody.get(URL)).status_code == 401
    assert (await publish(viewer)).status_code == 403
    assert (await viewer.get(URL)).status_code == 200
    assert (await viewer.patch(f"{URL}/x", json={})).status_code == 403
    assert (await viewer.put(f"{URL}/x/current", json={"number": 1})).status_code == 403
    assert (await viewer.post(f"{URL}/x/versions/1/retire")).status_code == 403
