"""The client: answers become values, refusals the errors that the Control Room named, silence one sentence."""

import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.cli.client.problems import Unreachable
from controlroom.cli.client.rest import Client, checked_url
from controlroom.foundation import errors
from controlroom.foundation.errors import ControlRoomError, FieldError, Invalid


def answering(*answers: httpx.Response) -> tuple[Client, list[httpx.Request]]:
    """Return a client whose requests get these answers, one after the other."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        asked.append(request)
        return left.pop(0)

    return Client("http://control.example", "crk_key", transport=httpx.MockTransport(answer)), asked


def problem(status: int, **values: Any) -> httpx.Response:
    body = {
        "type": "/problems/x",
        "title": "Title",
        "status": status,
        "detail": "Detail.",
        "code": "x",
    } | values
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (412, errors.PreconditionFailed),
        (413, errors.TooLarge),
        (422, errors.Invalid),
        (428, errors.PreconditionRequired),
        (429, errors.TooManyRequests),
        (503, errors.Unavailable),
        (418, ControlRoomError),
    ],
)
def test_problem_becomes_the_error_that_was_meant(status: int, kind: type[ControlRoomError]) -> None:
    fields = [{"pointer": "/inputs/amount", "message": "must be a number"}]
    client, _ = answering(
        problem(status, code="inputs_invalid", title="The inputs do not fit", errors=fields)
    )

    with pytest.raises(kind) as caught:
        client.post("/runs", {})

    error = caught.value
    assert (error.status, error.code, error.title, error.detail) == (
        status, "inputs_invalid", "The inputs do not fit", "Detail.",
    )  # fmt: skip
    assert error.fields == (FieldError("/inputs/amount", "must be a number"),)


def test_when_to_come_again_is_kept() -> None:
    answer = problem(429)
    answer.headers["retry-after"] = "17"
    client, _ = answering(answer)

    with pytest.raises(errors.TooManyRequests) as caught:
        client.get("/runs")

    assert caught.value.retry_after_seconds == 17


def test_servers_mistake_names_the_request_to_look_for() -> None:
    client, _ = answering(problem(500, request_id="req_7"))

    with pytest.raises(ControlRoomError, match="req_7"):
        client.get("/runs")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (httpx.Response(502, html="<h1>Bad gateway</h1>"), "what stands before the Control Room answers 502"),
        (httpx.Response(404, html="<h1>nginx</h1>"), "answers 404 Not Found, and not as a Control Room does"),
        (httpx.Response(301, headers={"location": "https://elsewhere"}), "answers 301 Moved Permanently"),
        (httpx.Response(200, html="<h1>It works</h1>"), "not as a Control Room does"),
        (problem(404, detail=7), "not as a Control Room does"),
    ],
)
def test_what_is_no_control_room_is_said_to_be_none(answer: httpx.Response, sentence: str) -> None:
    client, _ = answering(answer)

    with pytest.raises(errors.Unavailable, match=sentence):
        client.get("/runs")


def test_key_goes_along_and_empty_parameters_do_not() -> None:
    client, asked = answering(httpx.Response(200, json=[]))

    client.get("/runs", filter="", limit=3, make_current=False, cursor=None)

    assert asked[0].headers["authorization"] == "Bearer crk_key"
    assert str(asked[0].url) == "http://control.example/api/v1/runs?limit=3&make_current=false"


def test_answer_without_content_is_none() -> None:
    client, asked = answering(httpx.Response(204))

    client.delete("/api-keys/key_1")

    assert asked[0].method == "DELETE"


def test_list_is_read_page_after_page_up_to_the_limit() -> None:
    pages = [
        {"items": [1, 2], "next_cursor": "c1"},
        {"items": [3], "next_cursor": "c2"},
        {"items": [4], "next_cursor": None},
    ]
    client, asked = answering(*(httpx.Response(200, json=page) for page in pages))
    assert list(client.pages("/runs", filter="state:failed")) == [1, 2, 3, 4]
    assert [request.url.params.get("cursor") for request in asked] == [None, "c1", "c2"]
    assert {request.url.params["filter"] for request in asked} == {"state:failed"}

    client, asked = answering(*(httpx.Response(200, json=page) for page in pages))
    assert list(client.pages("/runs", limit=3)) == [1, 2, 3]
    assert [request.url.params["limit"] for request in asked] == ["3", "1"]


def test_file_is_sent_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "package.zip"
    file.write_bytes(b"PK" + bytes(300_000))
    client, asked = answering(httpx.Response(201, json={"created": True}))

    assert client.upload("/bots", file, "application/zip", note="new") == {"created": True}

    assert asked[0].content == file.read_bytes()
    assert asked[0].headers["content-type"] == "application/zip"
    assert asked[0].headers["content-length"] == str(file.stat().st_size)


def test_download_is_there_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    client, _ = answering(httpx.Response(200, content=b"whole"))
    client.download("/artifacts/art_1/content", target)
    assert target.read_bytes() == b"whole"

    client, _ = answering(problem(404))
    with pytest.raises(errors.NotFound):
        client.download("/artifacts/art_2/content", tmp_path / "other.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]


def test_silence_is_one_sentence_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with (
            Client(f"http://127.0.0.1:{taken.getsockname()[1]}") as client,
            pytest.raises(Unreachable, match="Start it with 'controlroom up'") as caught,
        ):
            client.get("/runs")

    assert caught.value.status == 503


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", " https://a.example/base/ ", "http://[::1]:8080"])
def test_address_loses_the_slash_at_its_end(url: str) -> None:
    assert checked_url(url) == url.strip().rstrip("/")


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://a.example", "http://", "http://a:99999", "http://[::1"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="no address of a Control Room"):
        checked_url(url)


def test_address_with_a_password_is_refused_without_telling_it() -> None:
    with pytest.raises(Invalid) as caught:
        checked_url("http://ada:hush@a.example")

    assert "hush" not in str(caught.value)


@given(st.binary(max_size=200), st.integers(400, 599))
def test_no_answer_breaks_the_client(content: bytes, status: int) -> None:
    client, _ = answering(httpx.Response(status, content=content))

    with pytest.raises(ControlRoomError):
        client.get("/runs")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
def test_no_json_breaks_the_reading_of_problems(body: Any) -> None:
    client, _ = answering(httpx.Response(422, content=json.dumps(body)))

    with pytest.raises(ControlRoomError):
        client.get("/runs")


def test_a_socks_proxy_is_refused_in_words_and_not_where_it_does_not_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5h://user:hunter2@proxy.example:1081")
    with pytest.raises(Invalid, match="do not go through a SOCKS proxy") as refused:
        Client("https://rpa.example")
    assert "hunter2" not in refused.value.detail
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    with Client("https://10.1.2.3") as client:
        assert client.url == "https://10.1.2.3"
