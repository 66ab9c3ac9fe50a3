"""Runs one probe against one target within its limits, whatever the other side does."""

import asyncio
import errno
import ipaddress
import socket
from dataclasses import replace
from time import monotonic

from controlroom.network.addresses import Family
from controlroom.network.catalogue import Transport
from controlroom.network.probes.conversation import Conversation, plain
from controlroom.network.probes.errors import NotThisProtocol, TlsFailed
from controlroom.network.probes.icmp import icmp_answer
from controlroom.network.probes.interface import Limits, Outcome, Probe, Target, Verdict, Wrapping
from controlroom.network.probes.sockets import SocketChannel, open_socket, verdict_of

# A datagram may be lost; after this part of the time it is sent a second time.
_SECOND_TRY = 0.4
_EVIDENCE_LENGTH = 300


async def run_probe(probe: Probe, target: Target, limits: Limits) -> Outcome:
    """Return what a probe finds. Takes no longer than the two limits of time together, and raises nothing.

    A name is resolved first, and its first address is probed; all the time counts.
    """
    started = monotonic()
    try:
        address = await _resolve(target, limits)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it cannot be a name"
        return Outcome(Verdict.NAME_ERROR, f"{plain(target.host)}: {plain(reason)}", monotonic() - started)
    wanted = replace(target, host=address, server_name=_server_name(target))
    if probe.transport is Transport.UDP:
        verdict, evidence = await _ask_datagram(probe, wanted, limits)
    else:
        verdict, evidence = await _ask_stream(probe, wanted, limits)
    return Outcome(verdict, plain(evidence, _EVIDENCE_LENGTH), monotonic() - started)


async def _resolve(target: Target, limits: Limits) -> str:
    try:
        return str(ipaddress.ip_address(target.host))
    except ValueError:
        pass
    family = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6, None: socket.AF_UNSPEC}[
        target.family
    ]
    asked = asyncio.get_running_loop().getaddrinfo(target.host, target.port, family=family)
    try:
        found = await asyncio.wait_for(asked, limits.connect_seconds)
    except TimeoutError:
        raise OSError(errno.ETIMEDOUT, "the name servers do not answer in time") from None
    return str(found[0][4][0])


def _server_name(target: Target) -> str:
    try:
        ipaddress.ip_address(target.host)
    except ValueError:
        return target.server_name or target.host
    return target.server_name


async def _ask_stream(probe: Probe, target: Target, limits: Limits) -> tuple[Verdict, str]:
    """Ask in the clear, within TLS, or, where a site may have either, in the clear and then within TLS."""
    if probe.wrapping is not Wrapping.EITHER:
        return await _ask_once(probe, target, limits, encrypted=probe.wrapping is Wrapping.TLS)
    halved = replace(
        limits, connect_seconds=limits.connect_seconds / 2, answer_seconds=limits.answer_seconds / 2
    )
    first = await _ask_once(probe, target, halved, encrypted=False)
    if first[0] is not Verdict.WRONG_PROTOCOL:
        return first
    second = await _ask_once(probe, target, halved, encrypted=True)
    return second if second[0] in {Verdict.OPEN, Verdict.TLS_ERROR} else first


async def _ask_once(probe: Probe, target: Target, limits: Limits, *, encrypted: bool) -> tuple[Verdict, str]:
    try:
        one = open_socket(target.host, target.source, socket.SOCK_STREAM)
    except OSError as error:
        return Verdict.UNREACHABLE, _own_fault(error, target)
    with one:
        try:
            async with asyncio.timeout(limits.connect_seconds):
                await asyncio.get_running_loop().sock_connect(one, (target.host, target.port))
        except OSError as error:
            return _no_connection(error, one, target, limits)
        return await _talk(probe, _conversation(one, target, limits), limits, encrypted=encrypted)


def _no_connection(error: OSError, one: socket.socket, target: Target, limits: Limits) -> tuple[Verdict, str]:
    if isinstance(error, TimeoutError):
        # An error that does not end the connecting is told by the queue alone.
        if answer := icmp_answer(one):
            return Verdict.PROHIBITED if answer.prohibited else Verdict.UNREACHABLE, str(answer)
        return Verdict.FILTERED, f"no answer from {target.host} within {limits.connect_seconds:g} s"
    try:
        return verdict_of(error, one, target.host)
    except OSError:
        return Verdict.UNREACHABLE, _own_fault(error, target)


def _own_fault(error: OSError, target: Target) -> str:
    sender = f" from {target.source}" if target.source else ""
    return f"this machine could not send{sender}: {error.strerror or type(error).__name__}"


def _conversation(one: socket.socket, target: Target, limits: Limits) -> Conversation:
    return Conversation(
        SocketChannel(one, limits.most_bytes),
        now=limits.now,
        tls=limits.tls,
        host=target.host,
        server_name=target.server_name,
    )


async def _talk(
    probe: Probe, conversation: Conversation, limits: Limits, *, encrypted: bool
) -> tuple[Verdict, str]:
    try:
        async with asyncio.timeout(limits.answer_seconds):
            if encrypted:
                await conversation.start_tls()
            evidence = await probe.ask(conversation)
    except NotThisProtocol as error:
        if conversation.security and not conversation.heard:
            # A server that asks for a client's certificate tells it after the handshake, or just goes (RFC 8446, 4.4.2.4).
            return Verdict.TLS_ERROR, f"{error}, within TLS: it may want a client's certificate"
        return Verdict.WRONG_PROTOCOL, str(error)
    except TlsFailed as error:
        return Verdict.TLS_ERROR, str(error)
    except TimeoutError:
        said = f"said {conversation.heard}, then no more" if conversation.heard else "said nothing"
        return Verdict.WRONG_PROTOCOL, f"took the connection and {said} within {limits.answer_seconds:g} s"
    except OSError as error:
        return Verdict.WRONG_PROTOCOL, f"the connection broke: {error.strerror or type(error).__name__}"
    security = f"; {conversation.security}" if conversation.security else ""
    return Verdict.OPEN, evidence + security


async def _ask_datagram(probe: Probe, target: Target, limits: Limits) -> tuple[Verdict, str]:
    """Ask over UDP, twice if need be; silence is not told apart from a filter, as nothing could."""
    try:
        one = open_socket(target.host, target.source, socket.SOCK_DGRAM)
    except OSError as error:
        return Verdict.UNREACHABLE, _own_fault(error, target)
    with one:
        for seconds in (
            limits.answer_seconds * _SECOND_TRY,
            limits.answer_seconds * (1 - _SECOND_TRY),
        ):
            try:
                await asyncio.get_running_loop().sock_connect(one, (target.host, target.port))
                async with asyncio.timeout(seconds):
                    return Verdict.OPEN, await probe.ask(_conversation(one, target, limits))
            except NotThisProtocol as error:
                return Verdict.WRONG_PROTOCOL, str(error)
            except TimeoutError:
                continue
            except OSError as error:
                return _no_connection(error, one, target, limits)
        if answer := icmp_answer(one):
            return Verdict.PROHIBITED if answer.prohibited else Verdict.UNREACHABLE, str(answer)
    return Verdict.NO_UDP_ANSWER, f"no answer from {target.host} to two tries in {limits.answer_seconds:g} s"
