"""Files that bots leave, sockets, and what a request says of its host and method, tried as an attacker would."""

from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from controlroom.foundation.database import Transaction
from controlroom.runs.models import Artifact
from security.conftest import MARK, PROBES, Hostile, headers_for

PICTURE_WITH_SCRIPT = f'<svg xmlns="http://www.w3.org/2000/svg"><script>{MARK}()</script></svg>'.encode()
ELSEWHERE = "evil.example"


@pytest.mark.parametrize(
    "media_type",
    [
        "image/svg+xml",
        "text/html",
        "application/xhtml+xml",
        "text/xml",
        "text/javascript",
        "IMAGE/SVG+XML",
        "text/html, image/png",
        "image/png\r\nX-Evil: 1",
        "",
    ],
)
def test_a_file_that_could_run_script_is_only_downloaded(hostile: Hostile, media_type: str) -> None:
    answer = _file(hostile, media_type, "../<b>\"'\r\nX-Evil: 1.svg")
    assert answer.content == PICTURE_WITH_SCRIPT
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "x-evil" not in answer.headers


def test_a_file_that_is_shown_runs_nothing_whatever_it_holds(hostile: Hostile) -> None:
    answer = _file(hostile, "image/png", "shown.png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_log_is_downloaded_as_text_that_no_browser_reads_as_a_page(hostile: Hostile) -> None:
    with hostile.browser() as browser:
        answer = browser.get(f"/api/v1/attempts/{hostile.known['attempt_id']}/log/text")
    assert f"<{MARK}" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/api/v1/events/ws", "/api/v1/attempts/{attempt_id}/log/ws"])
@pytest.mark.parametrize("origin", [f"https://{ELSEWHERE}", "null", "own"])
def test_a_socket_opens_by_cookie_for_our_own_pages_only(hostile: Hostile, path: str, origin: str) -> None:
    with hostile.browser() as browser:
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        address = hostile.site.address.replace("http", "ws", 1) + path.format(**hostile.known)
        said = hostile.site.address if origin == "own" else origin
        try:
            with connect(
                address, additional_headers={"Cookie": cookie, "Origin": said}, proxy=None, open_timeout=20
            ):
                opened = True
        except InvalidStatus as refusal:
            assert refusal.response.status_code == 403
            opened = False
    assert opened is (origin == "own")


def test_no_answer_speaks_of_a_host_that_the_request_made_up(hostile: Hostile) -> None:
    wrong = []
    said = {"Host": ELSEWHERE, "X-Forwarded-Host": ELSEWHERE, "X-Original-URL": f"//{ELSEWHERE}/"}
    with hostile.browser() as browser:
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        for probe in PROBES:
            if probe.method != "GET" or probe.streams:
                continue
            answer = browser.get(
                probe.at(hostile.known),
                params=dict(probe.query),
                headers={**headers_for(probe), **said, "Cookie": cookies},
            )
            if ELSEWHERE in answer.headers.get("location", "") or ELSEWHERE in answer.text:
                wrong.append(f"{probe}: {answer.status_code} {urlsplit(str(answer.url)).path}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]
)
def test_a_method_cannot_be_said_beside_the_real_one(hostile: Hostile, header: str) -> None:
    """A reading request is not guarded against other sites, so none may be turned into a change."""
    path = f"/api/v1/users/{hostile.known['user_id']}"
    with hostile.browser() as browser:
        before = browser.get(path).raise_for_status().json()
        answer = browser.get(path, headers={header: "DELETE"}, params={"_method": "DELETE"})
        assert answer.json() == before
        assert browser.get(path).json() == before


def _file(hostile: Hostile, media_type: str, name: str) -> httpx.Response:
    """Let the run's file hold a picture with a script under a name and type, and ask to be shown it."""
    artifact_id = hostile.known["artifact_id"]
    stored = hostile.site.do(lambda: hostile.site.app.state.blobs.put_bytes(PICTURE_WITH_SCRIPT))

    async def work(transaction: Transaction) -> None:
        artifact = await transaction.session.get_one(Artifact, artifact_id)
        artifact.sha256, artifact.media_type, artifact.name = stored.sha256, media_type, name

    hostile.site.write(work)
    with hostile.browser() as browser:
        return browser.get(
            f"/api/v1/artifacts/{artifact_id}/content", params={"inline": "true"}
        ).raise_for_status()
