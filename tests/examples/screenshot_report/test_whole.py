"""The bot as a whole: signs in to a site with the Control Room's addresses, in a real browser."""

import shutil
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader

from .conftest import PASSWORD, Site

SCRIPT = str(Path(__file__).parents[3] / "examples" / "screenshot-report" / "screenshot_report.py")
_browsers = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
needs_browser = pytest.mark.skipif(
    not any(shutil.which(name) for name in _browsers), reason="install a browser: apt-get install chromium"
)


def sign_in_file(folder: Path, url: str, password: str = PASSWORD, mode: int = 0o600) -> str:
    path = folder / "sign-in.toml"
    path.write_text(f'url = "{url}"\nname = "reporter"\npassword = "{password}"\n', encoding="utf-8")
    path.chmod(mode)
    return str(path)


@needs_browser
@pytest.mark.browser
def test_report_holds_every_page_and_the_session_is_ended(run_example, tmp_path: Path, site: Site) -> None:
    done = run_example(SCRIPT, inputs={"sign_in_file": sign_in_file(tmp_path, site.url)})

    assert done.returncode == 0, done.stderr
    assert site.visited == ["/activity", "/activity", "/runs/run_01", "/bots", "/devices"]
    assert site.posted == ["/sign-in", "/sign-out"]
    output = tmp_path / "output"
    assert sorted(path.name for path in output.glob("*.png")) == [
        "01-activity.png", "02-newest-run.png", "03-bots.png", "04-devices.png",
    ]  # fmt: skip
    page = (output / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert "/runs/run_01" in PdfReader(output / "report.pdf").pages[0].extract_text()
    assert "output  pages = 4" in done.stderr
    assert PASSWORD not in done.stderr + done.stdout + page


@needs_browser
@pytest.mark.browser
def test_page_with_an_error_fails_the_run_and_is_in_the_report(
    run_example, tmp_path: Path, site: Site
) -> None:
    site.broken.add("/bots")

    done = run_example(
        SCRIPT,
        inputs={"sign_in_file": sign_in_file(tmp_path, site.url)},
        environment={"CONTROLROOM_RUN_ID": "run_01"},
    )

    assert done.returncode == 1
    assert "Bots answered with an error; see the report." in done.stderr
    assert "/runs/run_00" in site.visited, "its own run is not the one to take"
    assert "<td>500</td>" in (tmp_path / "output" / "report.html").read_text(encoding="utf-8")


@needs_browser
@pytest.mark.browser
def test_wrong_password_is_told_in_the_sites_own_words(run_example, tmp_path: Path, site: Site) -> None:
    done = run_example(SCRIPT, inputs={"sign_in_file": sign_in_file(tmp_path, site.url, "wrong")})

    assert done.returncode == 1
    assert "Signing in as reporter did not work. Name or password do not fit." in done.stderr


@needs_browser
@pytest.mark.browser
def test_password_does_not_follow_a_redirect_to_another_address(
    run_example, tmp_path: Path, site: Site
) -> None:
    site.redirect = site.url.replace("127.0.0.1", "localhost") + "/elsewhere"

    done = run_example(SCRIPT, inputs={"sign_in_file": sign_in_file(tmp_path, site.url)})

    assert "leads to another address" in done.stderr
    assert site.posted == []


def test_without_a_browser_one_sentence_says_what_to_install(run_example, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere browsers are found without PATH")

    done = run_example(
        SCRIPT,
        inputs={"sign_in_file": sign_in_file(tmp_path, "http://127.0.0.1:9")},
        environment={"PATH": str(tmp_path)},
    )

    assert done.returncode == 1
    assert "No browser was found on this device: install Chromium" in done.stderr
