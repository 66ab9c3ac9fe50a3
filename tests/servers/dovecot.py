"""A private Dovecot that speaks IMAP."""

from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, own, start
from servers.programs import required_program


def start_dovecot(folder: Path, certificates: Certificates) -> PrivateServer:
    """Start a server without mailboxes, in the clear and within TLS."""
    program = required_program("dovecot", "dovecot-imapd", "/usr/sbin")
    ports = {"imap": free_port(), "imaps": free_port()}
    place = folder / "dovecot"
    (place / "run").mkdir(parents=True)
    own(place, "nobody")
    (place / "dovecot.conf").write_text(
        f"base_dir = {place}/run\nstate_dir = {place}/run\nlog_path = {place}/log\nprotocols = imap\n"
        "listen = 127.0.0.1\ndefault_internal_user = nobody\ndefault_internal_group = nogroup\n"
        "default_login_user = nobody\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n"
        f"ssl_cert = <{certificates.certificate}\nssl_key = <{certificates.key}\n"
        f"service imap-login {{\nchroot =\ninet_listener imap {{\nport = {ports['imap']}\n}}\n"
        f"inet_listener imaps {{\nport = {ports['imaps']}\nssl = yes\n}}\n}}\n"
        "service anvil {\nchroot =\n}\nservice stats {\nchroot =\n}\n"
        f"passdb {{\ndriver = static\nargs = nopassword=n\n}}\nuserdb {{\ndriver = static\nargs = uid=nobody gid=nogroup home={place}\n}}\n"
    )
    return start("dovecot", [program, "-F", "-c", str(place / "dovecot.conf")], folder, ports, tree=True)
