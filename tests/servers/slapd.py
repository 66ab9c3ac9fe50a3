"""A private OpenLDAP server."""

from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, start
from servers.programs import required_program


def start_slapd(folder: Path, certificates: Certificates) -> PrivateServer:
    """Start a directory without entries, in the clear with StartTLS and within TLS."""
    program = required_program("slapd", "slapd", "/usr/sbin")
    ports = {"ldap": free_port(), "ldaps": free_port()}
    place = folder / "slapd"
    place.mkdir()
    (place / "slapd.conf").write_text(
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f"TLSCertificateFile {certificates.certificate}\nTLSCertificateKeyFile {certificates.key}\n"
        f'pidfile {place}/pid\ndatabase mdb\nsuffix "dc=example,dc=test"\ndirectory {place}\n'
    )
    urls = f"ldap://127.0.0.1:{ports['ldap']} ldaps://127.0.0.1:{ports['ldaps']}"
    command = [program, "-d", "0", "-f", str(place / "slapd.conf"), "-h", urls]
    return start("slapd", command, folder, ports)
