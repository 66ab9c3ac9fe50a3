"""Tables on a terminal: rows stay readable at any width, and what is left out is said."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network import catalogue


@pytest.mark.parametrize("width", [80, 100, 160])
def test_names_and_ports_are_never_broken(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    done = CliRunner().invoke(app, ["ports"])

    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert {flow.name for flow in catalogue.FLOWS} <= words
    assert {"47500-47598", "47100-47200"} <= words


def test_a_narrow_terminal_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    done = CliRunner().invoke(app, ["ports"])

    assert "too narrow for Purpose, Changed in, Demanded by" in done.stderr
    assert "Demanded by" not in done.stdout


def test_output_that_goes_to_a_file_has_all_columns_and_a_row_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)

    done = CliRunner().invoke(app, ["ports"])

    assert "too narrow" not in done.stderr
    (line,) = (one for one in done.stdout.splitlines() if one.strip().startswith("runner-link "))
    assert "443" in line
    assert "Bot Runners hold their one link" in line
    assert "Demanded by" in done.stdout


def test_lists_of_names_give_way_before_names_do(five_nodes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    words = CliRunner().invoke(app, ["flows", "--site", str(five_nodes)]).stdout.split()

    assert {"runner-01", "entrance", "cluster-caching-bus", "47500-47598"} <= set(words)
