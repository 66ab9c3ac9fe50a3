"""The runner's one connection: outward to the Control Room, by whichever transport passes.

`transport` says what a transport is and how it fails, `websocket` and `long_poll` are the two there are, `connector`
chooses between them, `outbox` knows which reports are to be sent, `session` carries one connection and `link` keeps
there being one.
"""

from controlroom.runner.link.address import ControlRoomAddress
from controlroom.runner.link.connector import Connector
from controlroom.runner.link.link import Link, LinkState
from controlroom.runner.link.outbox import Outbox
from controlroom.runner.link.session import Peer

__all__ = ["Connector", "ControlRoomAddress", "Link", "LinkState", "Outbox", "Peer"]
