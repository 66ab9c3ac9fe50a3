"""Tables of living connections: what is read of them, what the policy says, and what is refused."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network.connections import Fate, judge_connections, read_connections
from controlroom.network.errors import BadRuleset
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projector
from controlroom.network.site import read_site

SITE = Path(__file__).parent / "packets/proving-ground.toml"
NODE = Projector(derive_policy(read_site(SITE))).host("node-1")
TABLE = """\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.77.4.11 dst=10.77.2.11 sport=5000 dport=22 src=10.77.2.11 dst=10.77.4.11 sport=22 dport=5000 [ASSURED] mark=0 zone=0 use=2
tcp      6 431999 ESTABLISHED src=10.77.1.11 dst=10.77.2.11 sport=5001 dport=22 src=10.77.2.11 dst=10.77.1.11 sport=22 dport=5001 [ASSURED] mark=0 use=1
ipv6     10 udp      17 29 src=fd77:2::11 dst=fd77:3::12 sport=5002 dport=53 [UNREPLIED] src=fd77:3::12 dst=fd77:2::11 sport=53 dport=5002 mark=0 use=1
ipv4     2 icmp     1 29 src=10.77.4.11 dst=10.77.2.11 type=8 code=0 id=3 src=10.77.2.11 dst=10.77.4.11 type=0 code=0 id=3 mark=0 use=1
ipv4     2 tcp      6 100 TIME_WAIT src=10.77.1.11 dst=10.77.2.11 sport=5003 dport=80 src=10.77.2.11 dst=10.77.1.11 sport=8080 dport=5003 mark=0 use=1
ipv4     2 unknown  47 599 src=10.77.1.11 dst=10.77.2.11 src=10.77.2.11 dst=10.77.1.11 mark=0 use=1
ipv4     2 tcp      6 100 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=5004 dport=80 src=127.0.0.1 dst=127.0.0.1 sport=80 dport=5004 mark=0 use=1
"""


def test_each_living_connection_is_judged_by_the_packet_that_opened_it() -> None:
    judged = list(judge_connections(NODE, read_connections(TABLE)))

    assert [one.fate for one in judged] == [
        Fate.WANTED,
        Fate.STALE,
        Fate.WANTED,
        Fate.STALE,
        Fate.BESIDE,
        Fate.BESIDE,
    ]
    assert (judged[0].flow, judged[2].flow) == ("management-ssh", "dns-udp")
    assert str(judged[3].connection.translated) == "tcp 10.77.1.11:5003 -> 10.77.2.11:8080"
    assert judged[0].connection.translated is None


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "tcp 6 1 ESTABLISHED src=1.2.3.4 dst=1.2.3.5 sport=1 dport=2",
        "tcp 6 1 src=1.2.3.4 dst=nobody sport=1 dport=2 src=1.2.3.5 dst=1.2.3.4 sport=2 dport=1",
        "tcp 6 1 src=1.2.3.4 dst=1.2.3.5 sport=x dport=2 src=1.2.3.5 dst=1.2.3.4 sport=2 dport=1",
    ],
)
def test_a_line_that_is_cut_off_or_damaged_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(BadRuleset, match="table:8: "):
        list(read_connections(TABLE + line + "\n", "table"))


@given(st.integers(0, len(TABLE)), st.integers(0, 40), st.text(max_size=8))
def test_a_damaged_table_is_refused_or_read_and_never_crashes(start: int, length: int, text: str) -> None:
    with contextlib.suppress(BadRuleset):
        list(read_connections(TABLE[:start] + text + TABLE[start + length :]))


def test_the_command_lists_what_is_stale_and_says_so_by_its_exit_code(tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_text(TABLE, encoding="utf-8")
    command = ["connections", "--site", str(SITE), "--host", "node-1", "--table", str(table)]

    done = CliRunner().invoke(app, command)

    assert done.exit_code == 1
    assert "stale: tcp 10.77.1.11:5001 -> 10.77.2.11:22" in done.stdout
    assert "6 connections: 2 wanted, 2 stale, 2 that this policy says nothing about" in done.stdout
    assert CliRunner().invoke(app, [*command, "--cut"]).exit_code == 2
    assert CliRunner().invoke(app, command[:3]).exit_code == 2
