"""From start to first answer, idle memory, and 2,000 connected idle runners that speak the true protocol."""

import asyncio
import sys
import time
from pathlib import Path

import psutil
import websockets

sys.path.insert(0, str(Path(__file__).parent))

from controlroom.protocol import PROTOCOL_VERSION, wire
from controlroom.protocol.messages import DeviceFacts, Heartbeat, Hello, Welcome
from serving import ControlRoom, control_room, report

RUNNERS = int(next((word for word in sys.argv[1:] if word.isdigit()), 2000))
SECONDS = 60
FACTS = DeviceFacts("simulated", "linux", "6", "x86_64", "3.11", "0", 1, 1)


def main() -> None:
    with control_room(slots=1) as room:
        time.sleep(5)
        figures = {
            "seconds from start to first answer": round(room.start_seconds, 2),
            "server MB, idle": round(room.memory_mb(room.server)),
            "runner MB, idle": round(room.memory_mb(room.runners[0])),
        }
        asyncio.run(crowd(room, figures))
    report("idle", figures)


async def crowd(room: ControlRoom, figures: dict[str, object]) -> None:
    """Connect the simulated runners, let them idle, and measure the server meanwhile."""
    keys = await join_all(room.folder / "data" / "controlroom.db")
    connected = asyncio.Semaphore(50)
    ready = asyncio.Barrier(RUNNERS + 1)
    tasks = [asyncio.create_task(idle_runner(room.url, key, connected, ready)) for key in keys]
    async with asyncio.timeout(300):
        await ready.wait()
    server = psutil.Process(room.server.pid)
    await asyncio.sleep(15)
    before, begun = sum(server.cpu_times()[:2]), time.monotonic()
    await asyncio.sleep(SECONDS)
    share = (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - begun)
    figures["simulated runners"] = RUNNERS
    figures["server MB with them"] = round(room.memory_mb(room.server))
    figures["share of a core with them"] = f"{share:.1%}"
    figures["still connected"] = sum(not task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def join_all(path: Path) -> list[str]:
    """Make the devices straight in the database; joining is not what is measured."""
    from datetime import UTC, datetime

    from sqlalchemy import insert

    from controlroom.devices.joining import secret_hash
    from controlroom.devices.models import Device, DeviceMode
    from controlroom.foundation.database import Database
    from controlroom.foundation.ids import new_id, new_secret

    keys = [new_secret("crr") for _ in range(RUNNERS)]
    now = datetime.now(UTC)
    rows = [
        {"id": new_id("dev"), "name": f"simulated-{number}", "key_hash": secret_hash(key), "mode": DeviceMode.ACTIVE, "slots": 1,
         "labels": ["simulated"], "facts": {}, "joined_at": now, "updated_at": now, "revision": 1}
        for number, key in enumerate(keys)
    ]  # fmt: skip
    database = Database(f"sqlite+aiosqlite:///{path}")
    async with database.write() as transaction:
        await transaction.session.execute(insert(Device), rows)
    await database.close()
    return keys


async def idle_runner(url: str, key: str, connecting: asyncio.Semaphore, ready: asyncio.Barrier) -> None:
    """Connect, greet, and say from time to time that it lives, as a runner does."""
    address = url.replace("http", "ws", 1) + wire.LINK_PATH
    async with connecting:
        link = await websockets.connect(
            address,
            additional_headers={"Authorization": f"Bearer {key}"},
            compression=None,
            ping_interval=None,
            open_timeout=120,
        )
        await link.send(wire.encode(Hello(PROTOCOL_VERSION, FACTS, 1, (), ())))
        welcome = wire.decode_from_server(bytes(await link.recv()))
    assert isinstance(welcome, Welcome)
    await ready.wait()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drain(link))
        while True:
            await asyncio.sleep(welcome.heartbeat_seconds)
            await link.send(wire.encode(Heartbeat(())))


async def drain(link: "websockets.ClientConnection") -> None:
    """Read what comes."""
    async for _ in link:
        pass


if __name__ == "__main__":
    main()
