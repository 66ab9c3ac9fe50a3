"""What the API takes and gives of settings, health and what is installed."""

from datetime import datetime

from pydantic import Field

from controlroom.administration.changes import SettingView
from controlroom.administration.components import ComponentHealth, ComponentState, Health
from controlroom.foundation.http import Schema
from controlroom.foundation.setting_sources import Source


class SettingOut(Schema):
    """A setting, its value in use, and where that came from."""

    name: str
    value: str = Field(description="As text; `***` for a secret that is set.")
    source: Source
    origin: str = Field(description="The variable or the file that gave it, where one did.")
    meaning: str
    is_secret: bool
    may_change: bool = Field(description="Whether it may change at run time.")
    least: int | None = None
    most: int | None = None
    unit: str = ""
    effect: str = Field("", description="When a change takes effect.")
    value_at_start: str = Field(description="What was read at the start.")
    changed_at: datetime | None
    changed_by: str
    revision: int

    @classmethod
    def of(cls, found: SettingView) -> "SettingOut":
        """Show a setting."""
        bounds = found.changeable
        return cls(
            name=found.name,
            value=found.value,
            source=found.source,
            origin="" if found.source is Source.RUN_TIME else found.read.origin,
            meaning=found.read.meaning,
            is_secret=found.read.is_secret,
            may_change=bounds is not None,
            least=bounds.least if bounds else None,
            most=bounds.most if bounds else None,
            unit=bounds.unit if bounds else "",
            effect=bounds.effect if bounds else "",
            value_at_start=found.read.value,
            changed_at=found.changed_at,
            changed_by=found.changed_by,
            revision=found.revision,
        )


class SettingIn(Schema):
    """A new value of a setting."""

    value: int | None = Field(
        description="Within the setting's bounds; null puts it back to what was read at the start."
    )
    confirmed: bool = Field(
        False,
        description="Yes to what the change destroys. Without it such a change is refused with `not_confirmed`, "
        "and the answer says what would be lost.",
    )


class ComponentOut(Schema):
    """How a component is."""

    name: str
    title: str
    state: ComponentState
    words: str
    advice: str = Field(description="What to do; empty where nothing needs doing.")

    @classmethod
    def of(cls, found: ComponentHealth) -> "ComponentOut":
        """Show a component."""
        finding = found.finding
        return cls(
            name=found.name,
            title=found.title,
            state=finding.state,
            words=finding.words,
            advice=finding.advice,
        )


class HealthOut(Schema):
    """How all components of the node that answers are."""

    state: ComponentState = Field(description="The worst state of a component.")
    time: datetime
    components: list[ComponentOut]

    @classmethod
    def of(cls, found: Health) -> "HealthOut":
        """Show the health of a node."""
        return cls(
            state=found.state,
            time=found.time,
            components=[ComponentOut.of(each) for each in found.components],
        )


class AboutOut(Schema):
    """What runs here."""

    version: str
    python: str
    system: str
    hostname: str
    node_id: str
    database: str
    schema_revision: str = Field(description="The form of the database's tables.")
    data_folder: str
    public_url: str
    started_at: datetime
    uptime_seconds: float


class PartOut(Schema):
    """A part that the product is made of."""

    name: str
    version: str
    licence: str
    kind: str
    address: str
