"""The form of messages and frames, as RFC 5424 and RFC 5425 have them."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.audit.entry import clean_detail, entry_hash
from controlroom.audit.export import read_exported
from controlroom.audit.models import AuditEntry, AuditOutcome
from controlroom.audit.syslog.message import LARGEST_MESSAGE_BYTES, frame, syslog_message

# RFC 5424 section 6: HEADER SP STRUCTURED-DATA SP MSG
FORM = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) "
    rb"([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) ((?:\[[\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]{1,32}(?: [a-zA-Z]+=\"[^\"\\\]]*\")*\])+) "
    rb"\xef\xbb\xbf(.*)",
    re.DOTALL,
)


def entry(**changed: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "number": 7, "time": datetime(2026, 1, 31, 8, 0, 0, 12, UTC), "actor_kind": "user", "actor_id": "usr_1",
        "actor_name": "alice", "action": "run.requested", "target_kind": "run", "target_id": "run_1",
        "target_name": "reconcile", "outcome": AuditOutcome.DONE, "address": "192.0.2.7", "request_id": "req_1",
        "detail": {}, "previous_hash": "0" * 64,
    }  # fmt: skip
    values |= changed
    return AuditEntry(**values, hash=entry_hash({**values, "outcome": str(values["outcome"])}))


@pytest.mark.parametrize(
    ("outcome", "priority"),
    [(AuditOutcome.DONE, 110), (AuditOutcome.REFUSED, 108), (AuditOutcome.FAILED, 107)],
)
def test_a_message_says_what_kind_when_from_where_and_which(outcome: AuditOutcome, priority: int) -> None:
    message = syslog_message(entry(outcome=outcome), "node-1")
    match = FORM.fullmatch(message)
    assert match
    assert int(match[1]) == priority
    assert match.group(2, 3, 4, 5, 6) == (
        b"2026-01-31T08:00:00.000012Z",
        b"node-1",
        b"controlroom",
        b"-",
        b"run.requested",
    )
    assert b'[meta sequenceId="7"]' in match[7]
    assert json.loads(match[8])["actor_name"] == "alice"


@given(
    number=st.integers(1, 2**63 - 1),
    action=st.text(max_size=64),
    host=st.text(max_size=300),
    text=st.text(max_size=3_000),
)
def test_whatever_an_entry_holds_its_message_has_the_form_and_the_size(
    number: int, action: str, host: str, text: str
) -> None:
    given_entry = entry(number=number, action=action, detail=clean_detail({"text": text}))
    message = syslog_message(given_entry, host)
    match = FORM.fullmatch(message)
    assert match
    assert len(message) <= LARGEST_MESSAGE_BYTES
    body = json.loads(match[8])
    if not body.get("detail_left_out"):
        (row,) = read_exported([match[8].decode()])
        assert entry_hash(row) == row["hash"]
    assert frame(message) == str(len(message)).encode() + b" " + message


def test_a_detail_too_long_for_receivers_is_left_out_and_said_so() -> None:
    message = syslog_message(entry(detail={"text": "x" * 4_000, "more": "y" * 4_000, "even": "z" * 900}), "h")
    match = FORM.fullmatch(message)
    assert match
    body = json.loads(match[8])
    assert (body["detail"], body["detail_left_out"], body["number"]) == ({}, True, 7)
