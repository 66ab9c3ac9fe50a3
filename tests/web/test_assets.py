"""What is vendored is what was published; pages stay small; nothing on them needs what our policy forbids."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest

from controlroom.web.assets import WEB_FOLDER, read_assets
from web.served import Site

VENDOR = WEB_FOLDER / "vendor"
FIRST_LOAD_BYTES = 200_000


def test_every_vendored_file_has_the_hash_that_the_manifest_gives() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    listed = {name: digest for package in manifest.values() for name, digest in package["files"].items()}
    present = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert present == listed
    assert all(f"{name}/LICENSE" in listed for name in manifest)


def _templates() -> list[Path]:
    return sorted(WEB_FOLDER.rglob("*.html"))


@pytest.mark.parametrize("template", _templates(), ids=lambda path: path.relative_to(WEB_FOLDER).as_posix())
def test_templates_hold_nothing_inline_and_no_other_host(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:|hx-on|hx-vals=.js:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"(?:src|href|action)=[\"']https?:", text)


@pytest.mark.parametrize("template", _templates(), ids=lambda path: path.relative_to(WEB_FOLDER).as_posix())
def test_icons_that_templates_name_exist(template: Path) -> None:
    sprite = read_assets().files["icons.svg"].decode()
    for name in re.findall(r"icon\(\"([a-z0-9-]+)\"", template.read_text("utf-8")):
        assert f'id="{name}"' in sprite


def test_files_are_kept_for_ever_under_their_hash_only(site: Site, client: httpx.Client) -> None:
    address = read_assets().url("controlroom.css")
    assert "immutable" in client.get(address).headers["cache-control"]
    other = client.get(address.replace(read_assets().digest, "0" * 16))
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "path", ["x.js", "..%2Fassets.py", "islands%2F..%2F..%2Fassets.py", "vendor/manifest.json"]
)
def test_nothing_but_the_listed_files_is_given(client: httpx.Client, path: str) -> None:
    assert client.get(f"/static/{read_assets().digest}/{path}").status_code == 404


def test_a_first_load_stays_small(client: httpx.Client) -> None:
    """The page as it is, and what goes with it as it is transferred: packed, and every island, though few pages take all."""
    html = client.get("/activity").text
    shared = {"controlroom.css", "vendor/htmx.min.js", "icons.svg", "logo.svg"}
    packed = sum(
        len(gzip.compress(content))
        for path, content in read_assets().files.items()
        if path in shared or path.startswith("islands/")
    )
    assert packed > 20_000
    assert len(html.encode()) + packed < FIRST_LOAD_BYTES // 2


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("", False),
    ],
)
def test_files_are_packed_for_who_takes_that_and_pages_are_not(
    site: Site, accepted: str, is_packed: bool
) -> None:
    assets = read_assets()
    with httpx.Client(base_url=site.address, headers={"Accept-Encoding": accepted}) as client:
        answer = client.get(assets.url("controlroom.css"))
        assert answer.content == assets.files["controlroom.css"]
        assert ("content-encoding" in answer.headers) == is_packed
        assert answer.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in client.get("/sign-in").headers
