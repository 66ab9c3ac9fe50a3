"""Cross-site scripting, header injection and open redirects, tried in every text, parameter and path of every route."""

from urllib.parse import quote

import pytest

from controlroom.identity.access import Guard
from security.conftest import HOSTILE, MARK, PROBES, Hostile, headers_for, sent

READING = [
    probe
    for probe in PROBES
    if probe.method == "GET" and not probe.streams and probe.permission is not Guard.DEVICE
]
CHANGING = [probe for probe in PROBES if probe.method != "GET" and probe.permission is not Guard.DEVICE]
CRLF = "x\r\nX-Evil: 1\r\nSet-Cookie: evil=1"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "///evil.example",
    "javascript:alert(1)",
    "http:evil.example",
    "/\x00/evil.example",
    "evil.example",
]


def runs_in_a_page(text: str, media_type: str) -> bool:
    """Say whether the mark stands in a page as an element of its own."""
    return media_type.startswith("text/html") and f"<{MARK}" in text


def test_there_is_something_to_try() -> None:
    assert len(READING) > 40
    assert len(CHANGING) > 40
    assert sum(bool(probe.texts) for probe in READING) > 8


def test_what_was_stored_runs_in_no_page(hostile: Hostile) -> None:
    wrong, shown = [], 0
    with hostile.browser() as browser:
        for probe in READING:
            for known in (hostile.known, {**hostile.known, "run_id": hostile.known["waiting_run_id"]}):
                answer = browser.get(probe.at(known), params=dict(probe.query), headers=headers_for(probe))
                shown += MARK in answer.text
                if (
                    runs_in_a_page(answer.text, answer.headers.get("content-type", ""))
                    or "1779547" in answer.text
                ):
                    wrong.append(str(probe))
    assert shown > 15
    assert not wrong, "\n".join(wrong)


def test_what_is_asked_for_runs_in_no_page(hostile: Hostile) -> None:
    wrong = []
    with hostile.browser() as browser:
        for probe in READING:
            for name in probe.texts:
                answer = browser.get(
                    probe.at(hostile.known), params={**probe.query, name: HOSTILE}, headers=headers_for(probe)
                )
                if answer.status_code >= 500 or runs_in_a_page(
                    answer.text, answer.headers.get("content-type", "")
                ):
                    wrong.append(f"{probe} ?{name}: {answer.status_code}")
            for name in probe.parameters:
                path = probe.at({**hostile.known, name: quote(HOSTILE, safe="")})
                answer = browser.get(path, params=dict(probe.query), headers=headers_for(probe))
                if answer.status_code >= 500 or runs_in_a_page(
                    answer.text, answer.headers.get("content-type", "")
                ):
                    wrong.append(f"{probe} {{{name}}}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


def test_what_is_sent_in_forms_runs_in_no_page(hostile: Hostile) -> None:
    wrong = []
    with hostile.browser() as browser:
        for probe in CHANGING:
            if not probe.is_page or probe.form is None or probe.path.startswith("/sign-out"):
                continue
            form = {name: value if isinstance(value, int) else HOSTILE for name, value in probe.form.items()}
            answer = browser.post(probe.at({}), data=form, headers=headers_for(probe))
            if answer.status_code >= 500 or runs_in_a_page(
                answer.text, answer.headers.get("content-type", "")
            ):
                wrong.append(f"{probe}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


def test_no_answer_takes_a_header_from_what_was_sent(hostile: Hostile) -> None:
    wrong = []
    with hostile.browser() as browser:
        for probe in READING + [each for each in CHANGING if each.is_page and each.path != "/sign-out"]:
            tries = [(probe.at(hostile.known), {**probe.query, name: CRLF}) for name in probe.texts]
            tries += [
                (probe.at({**hostile.known, name: quote(CRLF, safe="")}), dict(probe.query))
                for name in probe.parameters
            ]
            for path, query in tries:
                answer = browser.request(
                    probe.method, path, params=query, headers=headers_for(probe), **sent(probe)
                )
                if "x-evil" in answer.headers or "evil" in answer.cookies or answer.status_code >= 500:
                    wrong.append(f"{probe} {query}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


def test_a_stored_file_name_becomes_no_header_and_no_path(hostile: Hostile) -> None:
    with hostile.browser() as browser:
        answer = browser.get(f"/api/v1/artifacts/{hostile.known['artifact_id']}/content")
    assert "x-evil" not in answer.headers
    assert answer.status_code in (200, 404, 503)


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_leads_nowhere_else(hostile: Hostile, target: str) -> None:
    form = {"name": "admin", "password": hostile.site.password, "next": target}
    with hostile.browser() as browser:
        signed_in = browser.get("/sign-in", params={"next": target}, headers={"Accept": "text/html"})
        browser.cookies.clear()
        answer = browser.post("/sign-in", data=form, headers={"Accept": "text/html"})
    for location in (signed_in.headers["location"], answer.headers["location"]):
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
        assert "\t" not in location


def test_no_page_redirects_to_another_place(hostile: Hostile) -> None:
    wrong = []
    with hostile.browser() as browser:
        for probe in READING:
            for name in probe.texts:
                for target in ELSEWHERE[:3]:
                    answer = browser.get(
                        probe.at(hostile.known),
                        params={**probe.query, name: target},
                        headers=headers_for(probe),
                    )
                    location = answer.headers.get("location", answer.headers.get("hx-redirect", "/"))
                    if not location.startswith("/") or location.startswith(("//", "/\\")):
                        wrong.append(f"{probe} ?{name}={target}: {location}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "path",
    [
        "/static/x/../../../pyproject.toml",
        "/static/x/..%2f..%2f..%2fpyproject.toml",
        "/static/x/%2e%2e/%2e%2e/theme.py",
        "/static/x//etc/passwd",
        "/static/x/..\\..\\theme.py",
    ],
)
def test_no_path_leads_out_of_the_static_files(hostile: Hostile, path: str) -> None:
    with hostile.browser() as browser:
        assert browser.get(path).status_code == 404
