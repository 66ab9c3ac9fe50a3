"""A private nginx that serves a page in the clear and within TLS."""

from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, start
from servers.programs import required_program


def start_nginx(folder: Path, certificates: Certificates) -> PrivateServer:
    """Start the server; it answers every path."""
    program = required_program("nginx", "nginx-light")
    ports = {"http": free_port(), "https": free_port()}
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/nginx-{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; worker_processes 1; user root;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n"
        f"server {{ listen 127.0.0.1:{ports['http']}; location / {{ return 200 'here'; }} }}\n"
        f"server {{ listen 127.0.0.1:{ports['https']} ssl; ssl_certificate {certificates.certificate};\n"
        f"ssl_certificate_key {certificates.key}; location / {{ return 200 'here'; }} }} }}\n"
    )
    command = [program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx-error.log")]
    return start("nginx", command, folder, ports)
