"""What the API takes and gives about the declared site."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from controlroom.foundation.http import Schema
from controlroom.sites.models import NOTE_LENGTH, ReportKind
from controlroom.sites.service import LARGEST_RULESET_BYTES, LARGEST_SITE_CHARACTERS, MOST_RULESET_FILES

SiteText = Annotated[str, StringConstraints(min_length=1, max_length=LARGEST_SITE_CHARACTERS)]
Place = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class SiteTextIn(Schema):
    """A site file to look at."""

    text: SiteText = Field(description="The site file, as TOML.")


class SiteIn(SiteTextIn):
    """A site file to declare."""

    based_on: int | None = Field(
        None,
        ge=0,
        description="The version that was edited, 0 for none; another one declared meanwhile is a conflict.",
    )
    note: Annotated[str, StringConstraints(max_length=NOTE_LENGTH, strip_whitespace=True)] = Field(
        "", description="Why it changes."
    )


class SiteVersionOut(Schema):
    """One version of the site, without its text."""

    number: int
    name: str
    note: str
    declared_at: datetime
    declared_by: str


class SiteOut(SiteVersionOut):
    """One version of the site."""

    text: str


class ChangeOut(Schema):
    """Packets of one flow that would newly pass or be stopped."""

    kind: str = Field(examples=["opens", "closes"])
    flow: str
    words: str
    example: str


class ChangesOut(Schema):
    """What a site would open and close."""

    name: str
    changes: list[ChangeOut] | None = Field(description="Null where there is no version to compare with.")
    notes: list[str]


class ZoneFlowOut(Schema):
    """One flow in one family between two zones."""

    flow: str
    purpose: str
    family: str
    protocol: str
    ports: str
    sources: str
    destinations: str
    cluster: bool


class ZonePairOut(Schema):
    """The flows from one zone to another."""

    source: str
    destination: str
    flows: list[ZoneFlowOut]


class FlowsOut(Schema):
    """What the present site allows, zone by zone; all else is denied."""

    name: str
    zones: list[str]
    pairs: list[ZonePairOut]
    notes: list[str]


class TargetOut(Schema):
    """One kind of firewall that rules can be written for."""

    name: str
    title: str
    scopes: list[str]
    proved: bool = Field(description="Whether its rules are read back and proved before they are shown.")


class TargetsOut(Schema):
    """What rules can be written for, and read from."""

    targets: list[TargetOut]
    formats: list[str]


class RuleFileOut(Schema):
    """One file of rules, or the script beside them."""

    name: str
    text: str
    executable: bool


class RulesOut(Schema):
    """The rules of one firewall."""

    proved: bool
    files: list[RuleFileOut]


class RulesetFileIn(Schema):
    """One file of a ruleset."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    text: Annotated[str, StringConstraints(max_length=LARGEST_RULESET_BYTES)]


class ProofIn(Schema):
    """A ruleset to prove."""

    place: Place = Field(description="Whose it is: a host of the site, or `border`.")
    files: Annotated[list[RulesetFileIn], Field(min_length=1, max_length=MOST_RULESET_FILES)]
    format: Annotated[str, StringConstraints(max_length=40)] = Field(
        "", description="The kind of ruleset; else it is recognised."
    )
    idle: bool = Field(False, description="Also find shadowed and redundant rules.")


class ReportOut(Schema):
    """What a proof or a round of probes found, in short."""

    id: str
    kind: ReportKind
    subject: str
    site_number: int
    holds: bool
    made_at: datetime
    made_by: str


class WholeReportOut(ReportOut):
    """What a proof or a round of probes found."""

    report: dict[str, Any] = Field(description="As the command writes it with `--format json`.")
