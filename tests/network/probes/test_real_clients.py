"""TDS and TNS beside what real client libraries send first: the same frames, as no server of theirs is to be had here."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable

import oracledb
import pytds

from controlroom.network.probes import tds, tns


def first_bytes(connect: Callable[[int], object]) -> bytes:
    """Return the first bytes that a client sends to a listener that says nothing and hangs up."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def take() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                heard.append(connection.recv(65_536))

        thread = threading.Thread(target=take)
        thread.start()
        with contextlib.suppress(oracledb.Error, pytds.Error, OSError):
            connect(listener.getsockname()[1])
        thread.join()
    return heard[0]


def oracle_client(port: int) -> object:
    return oracledb.connect(
        user="nobody",
        password="none",
        host="127.0.0.1",
        port=port,
        service_name="controlroom-probe",
        tcp_connect_timeout=10,
        retry_count=0,
    )


def test_tns_connect_is_laid_out_as_oracles_own_client_lays_it_out() -> None:
    real = first_bytes(oracle_client)
    ours = tns.connect()
    layout = struct.Struct(">HHBBH HHHHHHHHHHIBB24sIIII")
    names = [
        "length",
        "checksum",
        "type",
        "flags",
        "header_checksum",
        "version",
        "oldest",
        "options",
        "session_unit",
        "transport_unit",
        "characteristics",
        "turnaround",
        "byte_order",
        "text_length",
        "text_offset",
        "most",
        "flags_0",
        "flags_1",
        "reserved",
        "large_session_unit",
        "large_transport_unit",
        "compression",
        "more_flags",
    ]
    theirs = dict(zip(names, layout.unpack_from(real), strict=True))
    mine = dict(zip(names, layout.unpack_from(ours), strict=True))

    # A long text goes in a packet of its own, so that these two alone may differ.
    differing = {name for name in names if theirs[name] != mine[name]}
    assert differing <= {"length", "text_length"}
    assert mine["text_offset"] == layout.size == 74
    assert ours[74:].startswith(b"(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=controlroom-probe)")
    assert mine["length"] == len(ours)
    assert mine["text_length"] == len(ours) - 74


def test_tds_prelogin_is_laid_out_as_a_real_client_lays_it_out() -> None:
    real = first_bytes(
        lambda port: pytds.connect("127.0.0.1", port=port, user="x", password="y", login_timeout=10)
    )
    ours = tds.GREETING

    assert real[:2] == ours[:2]
    assert int.from_bytes(real[2:4], "big") == len(real)
    assert int.from_bytes(ours[2:4], "big") == len(ours)
    theirs, mine = tds.read_prelogin(real[8:]), tds.read_prelogin(ours[8:])
    assert list(theirs) == list(mine)
    assert {token: len(value) for token, value in theirs.items() if token != 2} == {
        token: len(value) for token, value in mine.items() if token != 2
    }


def serve_once(handler: Callable[[socket.socket], None]) -> tuple[int, threading.Thread]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def run() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                handler(connection)

    thread = threading.Thread(target=run)
    thread.start()
    return int(listener.getsockname()[1]), thread


def test_real_client_understands_our_stand_in_of_a_listener() -> None:
    """The refusal of our stand-in is read by Oracle's own client as ORA-12514, so that its format is the real one."""

    def refuse(connection: socket.socket) -> None:
        class Channel:
            async def send(self, data: bytes) -> None:
                connection.sendall(data)

            async def receive(self) -> bytes:
                return connection.recv(65_536)

        from datetime import UTC, datetime

        from controlroom.network.probes.conversation import Conversation

        # The client's text may come in a packet of its own, which the stand-in need not read.
        asyncio.run(tns.answer_tns(Conversation(Channel(), now=lambda: datetime.now(UTC))))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    port, thread = serve_once(refuse)
    try:
        oracle_client(port)
    except oracledb.Error as error:
        message = str(error)
    thread.join()
    assert "12514" in message or "DPY-6001" in message, message
