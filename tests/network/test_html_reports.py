"""HTML reports: whole files of their own, with nothing of other hosts in them, and names that stay text."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network.projection import Direction
from controlroom.network.proof import Finding, FindingKind, Verdicts
from controlroom.network.reports.tables import PortTable, write_tables
from controlroom.network.reports.verdicts import Proved, write_verdicts

from .conftest import EXAMPLES

HOSTILE = '"; drop <script>alert(1)</script> & \x1b[31m\u2028'
_VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Collects tags and references, and notices what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert reader.references == []
    assert "script" not in reader.tags
    assert "prefers-color-scheme:dark" in text
    return reader


@pytest.mark.parametrize(
    "arguments",
    [
        ("ports", "--format", "html"),
        ("ports", "--by", "zone", "--site", "SITE", "--format", "html"),
        ("flows", "--site", "SITE", "--format", "html"),
        (
            "check",
            "--site",
            "SITE",
            "--host",
            "directory",
            "--format",
            "html",
            "--closed",
            "1",
            "--timeout",
            "0.1",
        ),
    ],
    ids=["ports", "ports-by-zone", "flows", "check"],
)
def test_report_is_one_whole_file(arguments: tuple[str, ...]) -> None:
    site = str(EXAMPLES / "five-nodes.toml")

    result = CliRunner().invoke(app, [site if one == "SITE" else one for one in arguments])

    assert result.exit_code in {0, 1}, result.output
    assert "tcp" in read(result.stdout).text


def test_verify_writes_its_findings(tmp_path: Path) -> None:
    site = str(EXAMPLES / "five-nodes.toml")
    runner = CliRunner()
    runner.invoke(
        app, ["render", "--site", site, "--target", "nftables", "--host", "node-1", "--out", str(tmp_path)]
    )
    rules = tmp_path / "node-1.nft"
    rules.write_text(
        rules.read_text(encoding="utf-8").replace("10.20.2.12/30", "10.0.0.0/8", 1), encoding="utf-8"
    )

    result = runner.invoke(
        app, ["verify", "--site", site, "--host", "node-1", str(rules), "--format", "html"]
    )

    assert result.exit_code == 1
    text = read(result.stdout).text
    assert "cluster-exposure" in text
    assert "The verdict assumes:" in text


def test_hostile_names_stay_text() -> None:
    finding = Finding(FindingKind.EXCESS, Direction.INBOUND, HOSTILE, rule=HOSTILE)
    verdicts = write_verdicts([Proved(HOSTILE, Verdicts((finding,), (HOSTILE,), 1))], "html")
    tables = write_tables([PortTable(HOSTILE, (HOSTILE,), ((HOSTILE,),))], "html")

    for written in (verdicts, tables):
        assert '"; drop <script>alert(1)</script> & [31m' in read(written).text
        assert "\x1b" not in written
