"""A private Subversion: a repository behind svnserve and behind Apache, open and with a password."""

import subprocess
from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, own, start
from servers.programs import required_program

_MODULES = [
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "dav",
    "dav_svn",
    "ssl",
    "socache_shmcb",
]


def start_svnserve(folder: Path) -> PrivateServer:
    """Start svnserve over a new repository."""
    program = required_program("svnserve", "subversion")
    admin = required_program("svnadmin", "subversion")
    root = folder / "svnserve"
    root.mkdir()
    subprocess.run([admin, "create", str(root / "repo")], check=True, capture_output=True)
    ports = {"svnserve": free_port()}
    command = [program, "-d", "--foreground", "--listen-host", "127.0.0.1", "--listen-port"]
    return start("svnserve", [*command, str(ports["svnserve"]), "-r", str(root)], folder, ports)


def start_apache(folder: Path, certificates: Certificates) -> PrivateServer:
    """Start Apache: on ``http`` and ``https`` repositories are open, on ``password`` all is shut to guests."""
    program = required_program("apache2", "apache2-bin", "/usr/sbin")
    admin = required_program("svnadmin", "subversion")
    place = folder / "apache"
    place.mkdir()
    subprocess.run([admin, "create", str(place / "repo")], check=True, capture_output=True)
    (place / "users").write_text("")
    own(place, "www-data")
    ports = {"http": free_port(), "https": free_port(), "password": free_port()}
    modules = "\n".join(f"LoadModule {one}_module /usr/lib/apache2/modules/mod_{one}.so" for one in _MODULES)
    location = f"<Location /svn>\nDAV svn\nSVNPath {place}/repo\n"
    shut = f"AuthType Basic\nAuthName here\nAuthUserFile {place}/users\nRequire valid-user\n"
    (place / "apache.conf").write_text(
        f"ServerRoot {place}\nPidFile {place}/pid\nDefaultRuntimeDir {place}\nServerName localhost\n"
        f"ErrorLog {place}/error.log\nUser www-data\nGroup www-data\n"
        + "\n".join(f"Listen 127.0.0.1:{port}" for port in ports.values())
        + f"\n{modules}\n"
        f"<VirtualHost 127.0.0.1:{ports['http']}>\n{location}Require all granted\n</Location>\n</VirtualHost>\n"
        f"<VirtualHost 127.0.0.1:{ports['https']}>\nSSLEngine on\n"
        f"SSLCertificateFile {certificates.certificate}\nSSLCertificateKeyFile {certificates.key}\n"
        f"{location}Require all granted\n</Location>\n</VirtualHost>\n"
        f"<VirtualHost 127.0.0.1:{ports['password']}>\n{location}{shut}</Location>\n</VirtualHost>\n"
    )
    return start(
        "apache", [program, "-f", str(place / "apache.conf"), "-DFOREGROUND"], folder, ports, tree=True
    )
