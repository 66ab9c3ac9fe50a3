"""Settings: read once from the environment and one file, handed down, never read again.

Each setting may be given as ``CONTROLROOM_<NAME>`` or as a key of ``controlroom-settings.toml`` in the data folder's
parent or where ``CONTROLROOM_SETTINGS_FILE`` points; the environment wins.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from controlroom.foundation.errors import FieldError, Invalid
from controlroom.network.catalogue import default_port

ENVIRONMENT_PREFIX = "CONTROLROOM_"
SETTINGS_FILE_VARIABLE = "CONTROLROOM_SETTINGS_FILE"
DEFAULT_SETTINGS_FILE = "controlroom-settings.toml"

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """All that a Control Room server can be told from outside."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="ignore", frozen=True)

    data_folder: Path = Field(
        Path("data"), description="Folder for the database, packages, artifacts and keys."
    )
    database_url: str = Field(
        "", description="SQLAlchemy address of the database; empty means SQLite in the data folder."
    )
    host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(
        default_port("control-room-web"),
        ge=0,
        le=65_535,
        description="Port that the web server listens on; 0 takes a free one.",
    )
    public_url: str = Field(
        "",
        description="Address under which people and runners reach this server, where a proxy stands before it.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Key that signs sessions and attempt tokens; empty means one kept in the data folder.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of the server's own log lines.")

    heartbeat_seconds: Seconds = Field(10, description="How often a runner says that it is alive.")
    lease_seconds: Seconds = Field(
        45, description="How long an attempt lives without a word from its runner."
    )
    sweep_seconds: Seconds = Field(
        5, description="How often lost leases, due runs and missed messages are looked for."
    )
    cancel_grace_seconds: Seconds = Field(
        10, description="Time that a bot has to end by itself after a cancel."
    )

    session_idle_minutes: int = Field(
        30,
        ge=1,
        description="A browser session ends after this long without use; OWASP ASVS asks for 30 minutes at level 2.",
    )
    session_absolute_hours: int = Field(
        12, ge=1, description="A browser session ends after this long in any case."
    )
    password_minimum_length: int = Field(12, ge=8, le=128, description="Fewest characters of a password.")

    package_limit_mb: int = Field(200, ge=1, description="Largest bot package, packed, in megabytes.")
    artifact_limit_mb: int = Field(500, ge=1, description="Largest artifact of a run, in megabytes.")
    input_file_limit_mb: int = Field(
        100, ge=1, description="Largest file as an input of a run, in megabytes."
    )
    unused_files_limit_mb: int = Field(
        500,
        ge=1,
        description="Files that one person may have uploaded and not yet given to a run, in megabytes.",
    )
    unused_file_hours: int = Field(
        24,
        ge=1,
        le=8_760,
        description="A file that was uploaded as an input is removed after this long without a run.",
    )
    unnamed_file_hours: int = Field(
        24,
        ge=1,
        le=8_760,
        description="Uploaded files that nothing came to name as an artifact or a package are removed after this long.",
    )
    event_retention_hours: int = Field(48, ge=1, description="How long live events can be resumed from.")

    audit_retention_days: int = Field(
        0, ge=0, le=36_500, description="Audit entries older than this are removed; 0 keeps all for ever."
    )
    audit_export_folder: Path | None = Field(
        None, description="Folder into which audit entries are exported before they are removed."
    )
    audit_syslog_host: str = Field(
        "", description="Log collector that gets every audit entry as syslog over TLS; empty sends none."
    )
    audit_syslog_port: int = Field(
        default_port("syslog-tls"), ge=1, le=65_535, description="Port of the log collector."
    )
    audit_syslog_ca_file: Path | None = Field(
        None, description="Certificates that the log collector is checked against; empty trusts the system's."
    )
    audit_syslog_certificate_file: Path | None = Field(
        None, description="Certificate that this server shows to the log collector, where that asks for one."
    )
    audit_syslog_key_file: Path | None = Field(
        None, description="Key of that certificate, where it is in a file of its own."
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        known = ("sqlite+aiosqlite://", "postgresql+asyncpg://")
        if value.startswith("postgresql://"):
            value = value.replace("postgresql://", "postgresql+asyncpg://", 1)
        elif value.startswith("sqlite://"):
            value = value.replace("sqlite://", "sqlite+aiosqlite://", 1)
        if value and not value.startswith(known):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return value

    @property
    def effective_database_url(self) -> str:
        """The address of the database in use, SQLite in the data folder where none was given."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_folder.resolve()}/controlroom.db"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the caller's values before the environment and the environment before the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=settings_file())


def settings_file() -> Path:
    """Return the settings file that is read where it exists."""
    return Path(os.environ.get(SETTINGS_FILE_VARIABLE, DEFAULT_SETTINGS_FILE))


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raise `Invalid` that names each setting that cannot stand and why.

    Unknown ``CONTROLROOM_`` variables are let be: other parts of the product read some of them.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # values are checked by pydantic
    except ValidationError as error:
        fields = tuple(
            FieldError("/" + "/".join(str(part) for part in item["loc"]), _sentence(item["msg"]))
            for item in error.errors()
        )
        named = "; ".join(
            f"{ENVIRONMENT_PREFIX}{field.pointer[1:].upper()}: {field.message}" for field in fields
        )
        raise Invalid(f"Settings that cannot stand: {named}", fields=fields) from None
    except SettingsError as error:
        raise Invalid(f"A setting cannot be read: {error}; lists are given as JSON.") from None
    except (ValueError, OSError) as error:
        raise Invalid(f"The settings file {settings_file()} cannot be read: {error}") from None


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")
