"""A private MIT Kerberos server."""

import os
import subprocess
from pathlib import Path

from servers.private import PrivateServer, free_port_of_both, start
from servers.programs import required_program

REALM = "PROBED.TEST"


def start_kerberos(folder: Path) -> PrivateServer:
    """Start a server of a realm without users, over TCP and UDP on the same port."""
    program = required_program("krb5kdc", "krb5-kdc", "/usr/sbin")
    admin = required_program("kdb5_util", "krb5-kdc", "/usr/sbin")
    port = free_port_of_both()
    place = folder / "kerberos"
    place.mkdir()
    (place / "krb5.conf").write_text(f"[libdefaults]\ndefault_realm = {REALM}\n")
    (place / "kdc.conf").write_text(
        f"[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n"
        f"[realms]\n{REALM} = {{\ndatabase_name = {place}/principal\nkey_stash_file = {place}/stash\n"
        f"acl_file = {place}/acl\n}}\n[logging]\nkdc = FILE:{place}/kdc.log\n"
    )
    environment = {"KRB5_CONFIG": str(place / "krb5.conf"), "KRB5_KDC_PROFILE": str(place / "kdc.conf")}
    subprocess.run(
        [admin, "create", "-s", "-r", REALM, "-P", "secret"],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
    )
    ports = {"kerberos": port}
    command = [program, "-n", "-P", str(place / "pid")]
    return start("kerberos", command, folder, ports, udp={"kerberos": port}, environment=environment)
