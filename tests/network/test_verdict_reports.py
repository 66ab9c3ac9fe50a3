"""What `verify` writes for other programs: SARIF by what its standard demands, JUnit by a parser of XML."""

import json
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet
from controlroom.network.projection import Direction
from controlroom.network.proof import Finding, FindingKind, Verdicts
from controlroom.network.reports.verdicts import FORMATS, Proved, write_verdicts

# The demands of SARIF 2.1.0 on what is written here: sections 3.13 (log), 3.14 (run), 3.18 (tool), 3.19 (component),
# 3.27 (result), 3.28 (location), 3.49 (rule). No registry carries the whole schema as a package.
TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {
                        "uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$"}
                    },
                }
            },
        }
    },
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"enum": [str(kind) for kind in FindingKind]},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": TEXT,
        "locations": {"type": "array", "items": LOCATION, "minItems": 1},
        "properties": {"type": "object"},
    },
}
RULE = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {"id": {"type": "string"}, "shortDescription": TEXT},
}
TOOL = {
    "type": "object",
    "required": ["driver"],
    "additionalProperties": False,
    "properties": {
        "driver": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": {"type": "string"}, "rules": {"type": "array", "items": RULE}},
        }
    },
}
RUN = {
    "type": "object",
    "required": ["tool", "results"],
    "additionalProperties": False,
    "properties": {
        "tool": TOOL,
        "results": {"type": "array", "items": RESULT},
        "properties": {"type": "object"},
    },
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": "sarif-2.1.0"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": RUN},
    },
}
PACKET = Packet(Family.IPV4, 6, 1, 2, 3, 4)

names = st.text(min_size=1, max_size=20).filter(
    lambda name: not any("\ud800" <= sign <= "\udfff" for sign in name)
)
findings = st.builds(
    Finding,
    st.sampled_from(list(FindingKind)),
    st.sampled_from(list(Direction)),
    names,
    st.text(max_size=10),
    st.just("flow"),
    st.sampled_from([None, PACKET]),
)
outcomes = st.builds(
    lambda files, found, assumed: Proved(
        ", ".join(files), Verdicts(tuple(found), tuple(assumed), 1), tuple(files)
    ),
    st.lists(names, min_size=1, max_size=3),
    st.lists(findings, max_size=3),
    st.lists(names, max_size=2),
)


@given(st.lists(outcomes, max_size=2))
def test_sarif_holds_what_its_standard_demands(proved: list[Proved]) -> None:
    report = json.loads(write_verdicts(proved, "sarif"))

    jsonschema.Draft202012Validator(SARIF).validate(report)
    (run,) = report["runs"]
    told = [finding for one in proved for finding in one.verdicts.findings]
    assert [result["message"]["text"] for result in run["results"]] == [finding.message for finding in told]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert set(run["properties"]["assumptions"]) == {
        sentence for one in proved for sentence in one.verdicts.assumptions
    }


def test_sarif_names_each_file_and_finds_it_again() -> None:
    finding = Finding(FindingKind.EXCESS, Direction.INBOUND, "too much", packet=PACKET)
    files = ("rules v4.txt", "größe/legacy, old.txt")

    (run,) = json.loads(write_verdicts([Proved("both", Verdicts((finding,), (), 1), files)], "sarif"))["runs"]

    uris = [one["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"][0]["locations"]]
    assert tuple(map(unquote, uris)) == files
    assert run["results"][0]["properties"]["packet"] == "tcp 0.0.0.1:3 -> 0.0.0.2:4"


@given(st.lists(outcomes, max_size=2))
def test_junit_is_read_by_a_parser_whatever_names_hold(proved: list[Proved]) -> None:
    suite = ElementTree.fromstring(write_verdicts(proved, "junit").encode())

    cases = suite.findall("testcase")
    assert (suite.get("tests"), len(cases)) == (str(len(proved)), len(proved))
    assert suite.get("failures") == str(sum(not one.verdicts.holds for one in proved))
    assert [case.find("failure") is None for case in cases] == [one.verdicts.holds for one in proved]
    assert all(case.find("system-out") is not None for case in cases)


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_tells_the_finding_and_what_it_rests_on(output: str) -> None:
    finding = Finding(FindingKind.UNKNOWN, Direction.INBOUND, "rule 7 was not understood")

    text = write_verdicts([Proved("held", Verdicts((finding,), ("addresses are true",), 1))], output)

    assert "rule 7 was not understood" in text
    assert "addresses are true" in text
