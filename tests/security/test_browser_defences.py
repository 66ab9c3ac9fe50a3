"""What a scanner looks for: headers of every answer, cookies, and changes that other sites ask for with one's cookie."""

import httpx
import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from controlroom.foundation.settings import Settings
from controlroom.identity.access import Guard
from controlroom.identity.cookies import DEVICE_COOKIE_NAME, STEP_COOKIE_NAME, SessionCookie
from controlroom.server.app import create_app
from controlroom.web.security import CONTENT_SECURITY_POLICY
from security.conftest import PROBES, Hostile, headers_for, sent

BY_COOKIE = [
    probe
    for probe in PROBES
    if probe.method != "GET"
    and probe.permission not in (Guard.DEVICE, Guard.PUBLIC)
    and not probe.path.startswith("/runner/")
]
EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def test_the_policy_allows_no_inline_script_and_nothing_of_other_hosts() -> None:
    parts = {part.split()[0]: part.split()[1:] for part in CONTENT_SECURITY_POLICY.split("; ")}
    assert parts["default-src"] == ["'self'"]
    assert (parts["object-src"], parts["base-uri"], parts["frame-ancestors"]) == (["'none'"],) * 3
    assert parts["form-action"] == ["'self'"]
    for forbidden in ("unsafe-inline", "unsafe-eval", "http:", "https:", "*"):
        assert forbidden not in CONTENT_SECURITY_POLICY


def test_every_answer_carries_the_strict_headers(hostile: Hostile) -> None:
    wrong = []
    with hostile.browser() as browser:
        for probe in PROBES:
            if probe.streams or (probe.method != "GET" and probe.permission is not Guard.PUBLIC):
                continue
            answer = browser.request(probe.method, probe.at(hostile.known), params=dict(probe.query), headers=headers_for(probe), **sent(probe))  # fmt: skip
            lacking = [name for name, value in EXPECTED.items() if answer.headers.get(name) != value]
            policy = answer.headers.get("content-security-policy", "")
            if lacking or ("default-src 'self'" not in policy and "default-src 'none'" not in policy):
                wrong.append(f"{probe} {answer.status_code}: lacks {lacking}, has {policy!r}")
    assert not wrong, "\n".join(wrong)


def test_pages_and_answers_with_what_is_ones_own_are_kept_by_no_cache(hostile: Hostile) -> None:
    wrong = []
    with hostile.browser() as browser:
        for probe in PROBES:
            if probe.method != "GET" or probe.streams or probe.path.startswith("/static/"):
                continue
            answer = browser.get(
                probe.at(hostile.known), params=dict(probe.query), headers=headers_for(probe)
            )
            if answer.status_code == 200 and "no-store" not in answer.headers.get("cache-control", ""):
                wrong.append(str(probe))
    assert not wrong, "\n".join(wrong)


def test_a_change_without_the_sessions_token_is_refused_on_every_route(hostile: Hostile) -> None:
    assert len(BY_COOKIE) > 40
    wrong = []
    with hostile.browser() as browser:
        for token in (None, "x", ""):
            browser.headers.pop("X-CSRF-Token", None)
            for probe in BY_COOKIE:
                extra = {} if token is None else {"X-CSRF-Token": token}
                answer = browser.request(probe.method, probe.at(hostile.known), headers={**headers_for(probe), **extra}, **sent(probe))  # fmt: skip
                if answer.status_code != 403:
                    wrong.append(f"{probe} with {token!r}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "said",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_change_from_another_site_is_refused_even_with_the_token(
    hostile: Hostile, said: dict[str, str]
) -> None:
    wrong = []
    with hostile.browser() as browser:
        for probe in BY_COOKIE:
            answer = browser.request(probe.method, probe.at(hostile.known), headers={**headers_for(probe), **said}, **sent(probe))  # fmt: skip
            if answer.status_code != 403:
                wrong.append(f"{probe}: {answer.status_code}")
        for path in ("/sign-in", "/sign-in/second-step", "/api/v1/session", "/api/v1/session/second-step"):
            body = {"code": "x"} if "second" in path else {"name": "admin", "password": "x"}
            kind = {"json": body} if path.startswith("/api/") else {"data": body}
            if browser.post(path, headers={"Accept": "text/html", **said}, **kind).status_code != 403:
                wrong.append(path)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["controlroom_session", STEP_COOKIE_NAME, DEVICE_COOKIE_NAME])
def test_cookies_of_sessions_cannot_be_read_by_script_and_go_to_nobody_else(name: str) -> None:
    for secure in (False, True):
        response = Response()
        SessionCookie(secure=secure, name=name).give(response, "token", lifetime_seconds=60)
        said = response.headers["set-cookie"]
        assert "HttpOnly" in said
        assert "SameSite=lax" in said
        assert "Domain" not in said
        assert said.startswith("__Host-") is secure
        assert ("Secure" in said) is secure
        assert "Path=/;" in said


def test_an_https_server_says_that_it_is_reached_by_https_only(tmp_path: object) -> None:
    app = create_app(Settings(public_url="https://controlroom.example", data_folder=str(tmp_path)))  # type: ignore[arg-type]
    with TestClient(app) as client:
        answer = client.get("/health/live")
    assert int(answer.headers["strict-transport-security"].partition("=")[2].partition(";")[0]) >= 31_536_000


def test_no_answer_lets_another_origin_read_it(hostile: Hostile) -> None:
    with hostile.browser() as browser:
        for path in ("/api/v1/runs", "/api/v1/session", "/activity"):
            answer = browser.get(path, headers={"Origin": "https://evil.example"})
            assert not any(name.startswith("access-control-") for name in answer.headers)


def test_methods_that_no_route_has_are_refused(hostile: Hostile) -> None:
    with hostile.browser() as browser:
        for method in ("TRACE", "CONNECT-NOT", "PROPFIND"):
            assert browser.request(method, "/api/v1/runs").status_code in (400, 405)


def test_two_ways_to_say_a_host_do_not_confuse_the_origin_check(hostile: Hostile) -> None:
    with httpx.Client(base_url=hostile.site.address, trust_env=False) as client:
        answer = client.post(
            "/api/v1/session",
            json={"name": "admin", "password": "x"},
            headers={"Origin": "http://127.0.0.1.evil.example", "Host": "127.0.0.1"},
        )
    assert answer.status_code == 403
