"""A private Samba file server."""

from pathlib import Path

from servers.private import PrivateServer, free_port, start
from servers.programs import required_program

_FOLDERS = ("private", "lock", "state", "cache", "pid", "ncalrpc")


def start_samba(folder: Path) -> PrivateServer:
    """Start a server without shares."""
    program = required_program("smbd", "samba", "/usr/sbin")
    ports = {"smb": free_port()}
    place = folder / "samba"
    for one in ("", *_FOLDERS):
        (place / one).mkdir(mode=0o755)
    places = "\n".join(
        f"{one} {'dir' if one == 'ncalrpc' else 'directory'} = {place}/{one}" for one in _FOLDERS
    )
    (place / "smb.conf").write_text(
        "[global]\nserver role = standalone server\ninterfaces = 127.0.0.1/8\nbind interfaces only = yes\n"
        f"smb ports = {ports['smb']}\ndisable netbios = yes\nload printers = no\ndisable spoolss = yes\n"
        f"passdb backend = tdbsam:{place}/private/passdb.tdb\nlog file = {place}/log\n{places}\n"
    )
    command = [program, "-F", "--no-process-group", "-s", str(place / "smb.conf"), "--debug-stdout"]
    return start("samba", command, folder, ports, tree=True)
