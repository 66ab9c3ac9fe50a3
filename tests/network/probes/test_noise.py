"""Every answer's parser against noise and damaged answers: evidence or a refusal in words, and nothing else ever."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.probes import Probe, probes
from controlroom.network.probes.certificates import validity
from controlroom.network.probes.conversation import plain
from controlroom.network.probes.errors import NotThisProtocol, TlsFailed
from controlroom.network.probes.icmp import read_extended_error

from .scripted import scripted

SPEAKING = [one for one in probes().values() if one.proves and one.name != "tls"]
BEGINNINGS = [
    b"",
    b"HTTP/1.1 101 x\r\n",
    b"HTTP/1.1 200 OK\r\nDAV: ",
    b"HTTP/1.1 200 OK\r\n\r\n{",
    b"220 x\r\n250-",
    b"* OK x\r\n* CAPABILITY IMAP4rev1\r\n",
    b"SSH-2.0",
    b"( success ( 2 2 ( ",
    b"AMQP\x00\x00\x09",
    b"\x01\x00\x00\x00\x00\x00\x20\x00\x0a\x00\x0a\x00\x09",
    b"+PONG",
    b"-NOAUTH",
    b"RCmb\x00\x00\x08\xd0\x00\x01\x00\x00\x00\x01",
    b"ES\xff\xff\xff\xff",
    b"\x04\x01\x00\x2f\x00\x00\x01\x00",
    b"\x00\x40\x00\x00\x04\x00\x00\x00",
    b"N" + b"E\x00\x00\x00\x20SFATAL\x00",
    b"R\x00\x00\x00\x08",
    b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00\x30\x0c\x02\x01\x02\x64",
    b"\x00\x00\x00\x40\x7e\x3e\x30\x3c\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e",
    b"\x7e\x3e\x30\x3c\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e",
    b"\x00\x00\x00\x90\xfeSMB\x40\x00",
    b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x00\x00\x00\x02",
    b"\x00\x03sok",
    b"\x00\x00\x11\x11name ",
]


async def ask(one: Probe, parts: list[bytes]) -> str | None:
    """Return the evidence, None for a refusal in words."""
    try:
        evidence = await asyncio.wait_for(one.ask(scripted(parts)), 5)
    except (NotThisProtocol, TlsFailed) as refusal:
        assert str(refusal)
        return None
    assert evidence
    return evidence


@pytest.mark.parametrize("name", [one.name for one in SPEAKING])
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BEGINNINGS), st.lists(st.binary(max_size=300), max_size=6))
def test_noise_never_breaks_a_parser(name: str, beginning: bytes, parts: list[bytes]) -> None:
    asyncio.run(ask(probes()[name], [beginning, *parts]))


@pytest.mark.parametrize("name", [one.name for one in SPEAKING])
@settings(max_examples=80, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_pure_noise_is_never_open(name: str, parts: list[bytes]) -> None:
    assert asyncio.run(ask(probes()[name], parts)) is None


async def said_by_stand_in(one: Probe) -> list[bytes] | None:
    """Return what a probe's own stand-in says to its own greeting, where one script is enough."""
    from .duplex import talk

    return await talk(one)


@pytest.mark.parametrize("name", [one.name for one in SPEAKING])
async def test_damaged_answers_are_evidence_or_refused(name: str) -> None:
    one = probes()[name]
    said = await said_by_stand_in(one)
    assert said, "the stand-in said nothing"
    chance = random.Random(name)
    for _ in range(300):
        whole = bytearray(b"".join(said))
        for _ in range(chance.randint(1, 4)):
            kind = chance.choice(("flip", "cut", "grow"))
            place = chance.randrange(len(whole)) if whole else 0
            if kind == "flip" and whole:
                whole[place] = chance.randrange(256)
            elif kind == "cut":
                del whole[place : place + chance.randint(1, 8)]
            else:
                whole[place:place] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 8)))
        await ask(one, [bytes(whole)])


@given(st.binary(max_size=400))
def test_certificates_and_icmp_errors_of_noise_are_read_as_nothing_or_something(data: bytes) -> None:
    assert len(validity(data)) == 2
    read_extended_error(data)


@given(st.text(max_size=400) | st.binary(max_size=400))
def test_what_a_peer_says_cannot_disturb_a_terminal(said: str | bytes) -> None:
    text = plain(said)
    assert text.isprintable()
    assert len(text) <= 100
