"""`probe`: greets one service by its own protocol; holds the options that all probing shares."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.group import FINDINGS, app, errors_as_exit_codes
from controlroom.network.errors import NetworkError
from controlroom.network.ports import HIGHEST_PORT, LOWEST_PORT
from controlroom.network.probes import Limits, Target, Verdict, probes, run_probe
from controlroom.network.probes import probe as probe_named
from controlroom.network.probes.encryption import client_context

TimeOption = Annotated[
    float,
    typer.Option("--timeout", min=0.1, max=60, help="Seconds for a connection, and again for an answer."),
]
AuthorityOption = Annotated[
    Path | None, typer.Option("--ca", help="Check certificates against these authorities.")
]
CertificateOption = Annotated[
    Path | None,
    typer.Option("--client-certificate", help="PEM file to show to servers that want a client's."),
]
KeyOption = Annotated[
    Path | None, typer.Option("--client-key", help="Its key, where it is in a file of its own.")
]


@app.command()
def probe(
    name: Annotated[str, typer.Argument(help="A protocol: " + ", ".join(probes()))],
    host: Annotated[str, typer.Argument(help="An address or a name.")],
    port: Annotated[int, typer.Argument(min=LOWEST_PORT, max=HIGHEST_PORT)],
    timeout: TimeOption = 3.0,
    authorities: AuthorityOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
) -> None:
    """Greet one service by its own protocol."""
    with errors_as_exit_codes():
        chosen = probe_named(name)
        outcome = asyncio.run(
            run_probe(chosen, Target(host, port), limits_of(timeout, authorities, certificate, key))
        )
        typer.echo(f"{outcome.verdict} after {outcome.seconds * 1000:.0f} ms: {outcome.evidence}")
    raise typer.Exit(0 if outcome.verdict is Verdict.OPEN else FINDINGS)


def limits_of(seconds: float, authorities: Path | None, certificate: Path | None, key: Path | None) -> Limits:
    """Return the limits that options ask for; raise `NetworkError` for files that cannot be used."""
    try:
        context = client_context(authorities, certificate, key)
    except OSError as error:
        raise NetworkError(
            f"--ca or --client-certificate cannot be used: {error.strerror or error}"
        ) from None
    return Limits(connect_seconds=seconds, answer_seconds=seconds, tls=context)
