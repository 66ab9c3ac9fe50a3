"""A private Postfix: port 25's way, the submission's way, and within TLS at once."""

import subprocess
from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, own, start
from servers.programs import required_program

_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
"""


def start_postfix(folder: Path, certificates: Certificates) -> PrivateServer:
    """Start a server that takes no mail: ``smtp`` and ``submission`` offer STARTTLS, ``smtps`` begins with TLS."""
    program = required_program("postfix", "postfix", "/usr/sbin")
    ports = {name: free_port() for name in ("smtp", "submission", "smtps")}
    place = folder / "postfix"
    for one in ("etc", "queue", "data"):
        (place / one).mkdir(parents=True)
    own(place / "data", "postfix")
    (place / "etc/main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {place}/queue\ndata_directory = {place}/data\n"
        f"inet_interfaces = 127.0.0.1\nmyhostname = mail.example.test\nmydestination =\n"
        f"smtpd_tls_cert_file = {certificates.certificate}\nsmtpd_tls_key_file = {certificates.key}\n"
        f"smtpd_tls_security_level = may\nmaillog_file = {place}/log\nmaillog_file_prefixes = {place}\n"
    )
    listeners = (
        f"127.0.0.1:{ports['smtp']} inet n - n - - smtpd\n"
        f"127.0.0.1:{ports['submission']} inet n - n - - smtpd\n -o smtpd_tls_security_level=encrypt\n"
        f"127.0.0.1:{ports['smtps']} inet n - n - - smtpd\n -o smtpd_tls_wrappermode=yes\n"
        "postlog unix-dgram n - n - 1 postlogd\n"
    )
    (place / "etc/master.cf").write_text(listeners + _SERVICES)
    subprocess.run([program, "-c", str(place / "etc"), "check"], check=True, capture_output=True, timeout=60)
    return start("postfix", [program, "-c", str(place / "etc"), "start-fg"], folder, ports, tree=True)
