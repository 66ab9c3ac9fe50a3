"""Commands that speak with a Control Room: publish a bot, see its versions, choose between them."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from controlroom.cli.authoring.local import JsonOption, PathArgument
from controlroom.cli.client import Client, UrlOption, connect
from controlroom.cli.output import err, out, print_json, print_table
from controlroom.foundation.errors import Conflict, NotFound

PACKAGE_MEDIA_TYPE = "application/zip"
BotArgument = Annotated[
    str, typer.Argument(metavar="BOT", help="The bot's name, or its id.", show_default=False)
]
NumberArgument = Annotated[
    int, typer.Argument(metavar="VERSION", min=1, help="The version's number.", show_default=False)
]


def publish(
    path: PathArgument,
    *,
    name: Annotated[
        str, typer.Option(help="The bot's name; the one that the package declares where none is given.")
    ] = "",
    folder: Annotated[str, typer.Option(help="The bot's folder, such as /finance/monthly.")] = "",
    note: Annotated[str, typer.Option("--note", "-m", help="What is new in this version.")] = "",
    make_current: Annotated[
        bool, typer.Option("--make-current/--no-current", help="Whether this version is run from now on.")
    ] = True,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Pack a bot, check it and publish it as a new version; the same content is the same version."""
    from controlroom.bots.check import require_passed
    from controlroom.creator.trial import read_source

    with tempfile.TemporaryDirectory() as temporary:
        zipped, packed, report = read_source(path, Path(temporary))
        require_passed(report)
        with connect(url) as client:
            published = client.upload(
                "/bots",
                zipped,
                PACKAGE_MEDIA_TYPE,
                name=name,
                folder=folder,
                note=note,
                make_current=make_current,
                sha256=packed.facts.sha256,
            )
    if json:
        print_json(published)
        return
    bot, version = published["bot"], published["version"]
    for finding in published["warnings"]:
        err.print(f"warning {finding['message']} ({finding['code']})", markup=False)
    if not published["created"]:
        out.print(f"{bot['name']} had this content before, as version {version['number']}.", markup=False)
        return
    current = "" if version["is_current"] else f"; version {bot['current_version']} stays the current one"
    out.print(f"{bot['name']}: version {version['number']} is published{current}.", markup=False)


def list_bots(
    filter: Annotated[
        str, typer.Argument(metavar="[FILTER]", help="Words such as 'folder:/finance reconcile'.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most bots to list.")] = 200,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List the bots of a Control Room."""
    with connect(url) as client:
        bots = list(client.pages("/bots", filter=filter, limit=limit))
    if json:
        print_json(bots)
        return
    rows = [
        (bot["name"], bot["folder"], bot["current_version"], bot["latest_version"], _day(bot["updated_at"]), bot["description"])
        for bot in bots
    ]  # fmt: skip
    print_table(("Name", "Folder", "Current", "Latest", "Changed", "Description"), rows)


def list_versions(
    bot: BotArgument,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most versions to list.")] = 50,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List a bot's versions, newest first."""
    with connect(url) as client:
        versions = list(client.pages(f"/bots/{_quoted(bot)}/versions", limit=limit))
    if json:
        print_json(versions)
        return
    rows = [
        (version["number"], _state(version), _day(version["published_at"]), version["published_by"],
         f"{version['size_bytes']:,}", version["sha256"][:12], version["note"])
        for version in versions
    ]  # fmt: skip
    print_table(("Version", "State", "Published", "By", "Bytes", "SHA-256", "Note"), rows)


def compare(
    bot: BotArgument,
    before: NumberArgument,
    after: NumberArgument,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two versions file by file, with the changed lines of text files."""
    with connect(url) as client:
        found = client.get(f"/bots/{_quoted(bot)}/compare", before=before, after=after)
    if json:
        print_json(found)
        return
    for change in found["changes"]:
        out.print(f"{change['kind']:<8} {change['path']}", markup=False, style="bold")
        if change["note"]:
            out.print(f"  {change['note']}", markup=False)
        for line in change["diff"].splitlines():
            out.print(f"  {line}", markup=False, style=_DIFF_STYLES.get(line[:1]))
    more = "" if found["complete"] else " There are more than are shown."
    differ, same = len(found["changes"]), found["same_files"]
    out.print(
        f"{differ} {'file differs' if differ == 1 else 'files differ'}, "
        f"{same or 'none'} {'is' if same < 2 else 'are'} the same.{more}"
    )


def rollback(
    bot: BotArgument,
    version: Annotated[
        int | None,
        typer.Argument(
            metavar="[VERSION]",
            min=1,
            help="The version to run; the one before the current one.",
            show_default=False,
        ),
    ] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Choose which version is run from now on: an earlier one, or a later one again."""
    with connect(url) as client:
        number = version or _version_before(client.get(f"/bots/{_quoted(bot)}"), client)
        changed = client.put(f"/bots/{_quoted(bot)}/current", {"number": number})
    if json:
        print_json(changed)
    else:
        out.print(
            f"{changed['name']}: version {changed['current_version']} is run from now on.", markup=False
        )


def retire(
    bot: BotArgument,
    version: NumberArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back into use.")] = False,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Keep a version from being run, or take it back into use; the current one cannot be retired."""
    with connect(url) as client:
        changed = client.post(f"/bots/{_quoted(bot)}/versions/{version}/{'unretire' if undo else 'retire'}")
    if json:
        print_json(changed)
    else:
        out.print(f"Version {changed['number']} of {bot} is {_state(changed) or 'in use'}.", markup=False)


_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def _version_before(bot: dict[str, Any], client: Client) -> int:
    """Return the newest version below the current one that is not retired."""
    current = bot["current_version"] or bot["latest_version"] + 1
    for version in client.pages(f"/bots/{bot['id']}/versions"):
        if version["number"] < current and version["retired_at"] is None:
            return int(version["number"])
    raise Conflict(f"{bot['name']} has no version before {current} that could be run.")


def _quoted(bot: str) -> str:
    """Return a bot's name or id as part of a path; raise `NotFound` for a name that no bot can have."""
    if "/" in bot:
        raise NotFound(f"There is no bot '{bot}': a bot's name holds no '/'.")
    return quote(bot, safe="")


def _state(version: dict[str, Any]) -> str:
    if version["retired_at"] is not None:
        return "retired"
    return "current" if version["is_current"] else ""


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"
