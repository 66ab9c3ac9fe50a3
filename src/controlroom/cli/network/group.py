"""What the commands of `controlroom network` share: the group itself, its options, exit codes and tables."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.terminal_tables import print_tables
from controlroom.network.errors import NetworkError
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.projection import Projection, Projector, Scope
from controlroom.network.reports.tables import PortTable, write_tables
from controlroom.network.site import read_site
from controlroom.network.subnets import subnet as subnet_of

FINDINGS = 1
BAD_INPUT = 2

app = typer.Typer(
    name="network",
    help="Required ports, firewall rules and their proof, from one declared site.",
    no_args_is_help=True,
    epilog="Exit codes: 0 all is well, 1 there are findings, 2 the input cannot be read or cannot stand.",
)

SiteOption = Annotated[Path, typer.Option("--site", help="The site file.")]
HostOption = Annotated[str, typer.Option("--host", help="One host of the site.")]
BorderOption = Annotated[
    str, typer.Option("--border", help="The border between all zones (all), or between two: front:nodes.")
]
SubnetOption = Annotated[
    str,
    typer.Option(
        "--subnet", help="One zone, where a cloud's firewall lies on its subnet; all for every zone."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for scripts.")]

_OBJECTS_BEFORE_A_SEARCH = 50_000
"""New objects before Python looks for garbage; a large ruleset is many objects, and none of them becomes any."""


@app.callback()
def search_seldom() -> None:
    """Let Python look for garbage seldom: looking took a third of the time that reading 10,000 rules takes."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_A_SEARCH)


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """Turn what the network room refuses into one sentence on standard error and exit code 2."""
    try:
        yield
    except NetworkError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None


def read_policy(site: Path) -> Policy:
    """Return the policy of a site file; its notes go to standard error."""
    policy = derive_policy(read_site(site))
    for note in policy.notes:
        typer.echo(f"note: {note}", err=True)
    return policy


def projections(
    policy: Policy, host: str, border: str, scopes: frozenset[Scope], subnet: str = ""
) -> Iterator[Projection]:
    """Yield the host, border or subnets asked for, or every host; raise `NetworkError` where it cannot be."""
    if sum(map(bool, (host, border, subnet))) > 1:
        raise NetworkError("give one of --host, --border and --subnet")
    if subnet:
        yield from _subnets(policy, subnet, scopes)
        return
    projector = Projector(policy)
    if border:
        _refuse_other_scopes(scopes)
        first, _, second = border.partition(":")
        yield projector.border() if border == "all" else projector.border(first, second)
        return
    if Scope.HOST not in scopes:
        raise NetworkError("this target stands on borders only; give --border all or --border ZONE:ZONE")
    for name in [host] if host else [one.name for one in policy.site.hosts]:
        yield projector.host(name)


def _subnets(policy: Policy, name: str, scopes: frozenset[Scope]) -> Iterator[Projection]:
    if Scope.SUBNET not in scopes:
        raise NetworkError(
            "this target does not lie on subnets; give --host or --border, or a target that does (azure-arm, "
            "azure-bicep, azure-terraform, gcp-terraform)"
        )
    for zone in [one.name for one in policy.site.zones] if name == "all" else [name]:
        yield subnet_of(policy, zone)


def _refuse_other_scopes(scopes: frozenset[Scope]) -> None:
    if Scope.BORDER in scopes:
        return
    if Scope.SUBNET in scopes:
        raise NetworkError(
            "this target has no border between two zones: it lies on each zone's own subnet; give --subnet ZONE or "
            "--subnet all, or a target for borders (nftables, iptables, firewalld, cisco-ios ...)"
        )
    raise NetworkError(
        "this target stands on hosts only: it lies on a machine's own interface, where no border is; give --host, "
        "or a target for borders (nftables, iptables, firewalld, cisco-ios ...)"
    )


def show(tables: list[PortTable], output: str) -> None:
    """Print tables on the terminal, or write them in another format."""
    if output != "terminal":
        sys.stdout.write(write_tables(tables, output))
        return
    print_tables(tables)


def one_of(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that an option does not have."""
    if value not in choices:
        raise NetworkError(f"{option} {value!r} is not one of {', '.join(choices)}")
