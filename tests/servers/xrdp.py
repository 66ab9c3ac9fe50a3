"""A private xrdp: its fixed folders are in a file system of its own."""

from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, start
from servers.programs import required_program


def start_xrdp(folder: Path, certificates: Certificates) -> PrivateServer:
    """Start the server without a session manager: it negotiates and goes no further."""
    program = required_program("xrdp", "xrdp", "/usr/sbin")
    ports = {"rdp": free_port()}
    text = Path("/etc/xrdp/xrdp.ini").read_text()
    lines = []
    for line in text.splitlines():
        key = line.partition("=")[0]
        replaced = {
            "port": f"port=tcp://127.0.0.1:{ports['rdp']}",
            "certificate": f"certificate={certificates.certificate}",
            "key_file": f"key_file={certificates.key}",
            "LogFile": f"LogFile={folder}/xrdp-own.log",
            "EnableSyslog": "EnableSyslog=false",
        }
        # The first "port" is the listener's; those of sessions follow below.
        if key in replaced and not (key == "port" and any(one.startswith("port=") for one in lines)):
            lines.append(replaced[key])
        else:
            lines.append(line)
    (folder / "xrdp.ini").write_text("\n".join(lines) + "\n")
    script = (
        "mount -t tmpfs tmpfs /run && mkdir -p /run/xrdp/sockdir && "
        f'exec "{program}" -n -c "{folder}/xrdp.ini"'
    )
    return start("xrdp", ["sh", "-c", script], folder, ports, tree=True)
