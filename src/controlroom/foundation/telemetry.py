"""What the product says of itself: structured log lines and metrics.

Log events are short constant names with fields. Request, run and attempt ids are bound once and then on every line.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET_NAMES = ("password", "secret", "token", "authorization", "cookie", "api_key", "key")
_HIDDEN = "***"


def configure_logging(level: str, form: Literal["text", "json"]) -> None:
    """Set up logging for a whole process, the libraries' lines included; to standard error, one line an event."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _hide_secrets,
    ]
    final: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=final))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("uvicorn.access", "httpx", "httpcore", "websockets", "aiosqlite", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def logger(room: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a room, such as ``runs.dispatch``."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(f"controlroom.{room}")
    return bound


def _hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name in event:
        if any(name == secret or name.endswith(f"_{secret}") for secret in _SECRET_NAMES):
            event[name] = _HIDDEN
    return event
