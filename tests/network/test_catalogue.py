"""The catalogue against the document that it answers to, and against itself."""

from itertools import pairwise
from pathlib import Path

import pytest

from controlroom.network import catalogue
from controlroom.network.catalogue.model import Origin, Section
from controlroom.network.errors import UnknownName
from controlroom.network.intervals import union
from controlroom.network.ports import parse_ports

DOCUMENT = Path(__file__).parent / "ports-and-firewall-requirements.txt"

# Lines of the document that belong to no row: its prose and the headings of its tables.
TABLE_HEADINGS = {
    "Protocol Ports Rule",
    "Protocol Incoming Port Usage What's Connecting",
    "Data center object Port default Protocol default Notes",
    "Data center object Version Configuration",
    "Data center object Port Protocol",
    "Server Host Name Supported Ports",
}


def lines_of_tables() -> dict[Section, list[str]]:
    """Cut the document into its sections and drop prose, headings and empty lines."""
    headings = {section.value: section for section in Section}
    tables: dict[Section, list[str]] = {}
    current: Section | None = None
    for raw in DOCUMENT.read_text(encoding="utf-8").splitlines():
        line = " ".join(raw.split())
        if line in headings:
            current = headings[line]
            tables[current] = []
        elif current and line and line not in TABLE_HEADINGS and not is_prose(line):
            tables[current].append(line)
    return tables


def is_prose(line: str) -> bool:
    return line.startswith(
        (
            "Important:",
            "Note:",
            "The following table",
            "Configure each of",
            "Data center components labeled",
            "Default ports are listed",
            "When creating bots",
        )
    )


@pytest.mark.parametrize("section", list(Section))
def test_every_line_of_every_table_is_a_row_of_the_catalogue(section: Section) -> None:
    rows = (*catalogue.PORT_ROWS, *catalogue.ELEMENT_ROWS, *catalogue.MAIL_ROWS)

    told = [word for row in rows if row.section is section for word in row.words]

    assert told == lines_of_tables()[section]


def test_each_row_s_ports_are_those_that_its_words_say() -> None:
    for row in catalogue.PORT_ROWS:
        words = " ".join(row.words).replace("through", "-")
        said = {int(number) for number in words.replace(",", " ").split() if number.isdigit()}
        assert said == {bound for interval in row.ports for bound in interval}, row.key


def test_policy_sentences_stand_in_the_document_word_for_word() -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())

    for sentence in catalogue.POLICY_SENTENCES:
        assert sentence.words in text


def test_every_port_row_is_answered_by_a_service_and_a_flow_with_its_ports() -> None:
    for row in catalogue.PORT_ROWS:
        services = [service for service in catalogue.SERVICES if row.key in service.rows]
        assert services, row.key
        assert any(row.key in flow.rows for flow in catalogue.FLOWS), row.key
        # A client sends mail to whichever port is configured, so that row is answered by choices, not defaults.
        offered = [service.choices if row.key == "client-smtp" else service.ports for service in services]
        assert union(ports for ports in offered if ports).covers(row.ports), row.key


def test_names_are_unique_and_rows_exist() -> None:
    for group in (catalogue.SERVICES, catalogue.FLOWS, catalogue.LOCAL_SOCKETS):
        names = [one.name for one in group]
        assert sorted(set(names)) == sorted(names)
    for flow in catalogue.FLOWS:
        for key in (*flow.rows, *flow.service.rows):
            assert catalogue.row(key).words


def test_cluster_services_are_reached_by_control_rooms_alone() -> None:
    sources = {flow.source for flow in catalogue.FLOWS if flow.service.cluster}

    assert sources == {catalogue.Component.CONTROL_ROOM}


def test_kerberos_is_two_flows_on_one_port() -> None:
    assert (
        parse_ports("88")
        == catalogue.service("kerberos-tcp").ports
        == catalogue.service("kerberos-udp").ports
    )
    assert catalogue.flow("kerberos-tcp").transport is catalogue.Transport.TCP
    assert catalogue.flow("kerberos-udp").transport is catalogue.Transport.UDP


def test_default_ports_are_asked_by_name() -> None:
    assert catalogue.default_port("control-room-web") == 8080
    assert catalogue.default_ports("cluster-caching-bus") == ((47500, 47598),)
    assert catalogue.flow("balancer-web").origin is Origin.OURS
    assert catalogue.flow("runner-link").origin is Origin.DOCUMENT


def test_unknown_name_comes_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownName, match="did you mean 'control-room-web'"):
        catalogue.default_port("controlroom-web")


def test_ports_of_one_service_do_not_overlap_those_of_another_on_the_same_machine() -> None:
    cluster = sorted(
        interval
        for service in catalogue.SERVICES
        if service.component is catalogue.Component.CONTROL_ROOM
        for interval in service.ports
    )

    assert all(before[1] < after[0] for before, after in pairwise(cluster))
