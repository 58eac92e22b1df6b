"""Logs of every process: one line an event, console on a terminal, JSON elsewhere.

Imports none of the layers, so that each of them can use it.
"""

import logging
import logging.config
import sys
from typing import Any, Final

import orjson
import structlog

# Third parties log through the standard library; they get the same shape.
_SHARED: Final[list[structlog.typing.Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# What they say at INFO for every doorbell is noise beside our own events.
_QUIET: Final = (
    "celery.beat",
    "celery.app.trace",
    "celery.worker.strategy",
    "celery.redirected",
    "kombu",
    "alembic.runtime.migration",
    "tornado.access",
)

# Without the frames' variables: among them are API keys and database passwords.
_TRACEBACKS: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def configure(*, level: str = "INFO", style: str = "auto") -> None:
    """Set up structlog and the standard library's logging alike."""
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[*_SHARED, *_ending(console=console)],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level]
        ),
        logger_factory=(
            structlog.PrintLoggerFactory(sys.stderr)
            if console
            else structlog.BytesLoggerFactory(sys.stderr.buffer)
        ),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_standard_library(level=level, console=console))


def _standard_library(*, level: str, console: bool) -> dict[str, Any]:
    """Return a logging configuration that renders like structlog's own."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "event": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    *_SHARED,
                    structlog.stdlib.add_logger_name,
                    structlog.stdlib.ExtraAdder(),
                ],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_ending(console=console, text=True),
                ],
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "event"}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {name: {"level": "WARNING"} for name in _QUIET},
    }


def _ending(*, console: bool, text: bool = False) -> list[structlog.typing.Processor]:
    if console:
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    return [
        structlog.processors.ExceptionRenderer(_TRACEBACKS),
        structlog.processors.JSONRenderer(serializer=_text if text else _bytes),
    ]


def _bytes(event: Any, **_options: Any) -> bytes:
    return orjson.dumps(event, default=str)


def _text(event: Any, **_options: Any) -> str:
    return _bytes(event).decode()
