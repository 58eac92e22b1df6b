"""Logs of every process: one line an event, console on a terminal, JSON elsewhere.

Imports none of the layers, so that each of them can use it.
"""

import atexit
import logging
import logging.config
import sys
import threading
from typing import Any, BinaryIO, Final, cast

import orjson
import structlog

_GULP_SECONDS: Final = 0.05

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


class _Gulps:
    """Standard error, written to at most some times a second.

    A system call for each line, and whoever reads it woken, took a tenth of a request.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        atexit.register(self._write)

    def write(self, line: bytes) -> None:
        """Keep a line for the next gulp."""
        self._lines.append(line)
        if len(self._lines) == 1:
            timer = threading.Timer(_GULP_SECONDS, self._write)
            timer.daemon = True
            timer.start()

    def flush(self) -> None:
        """Wait for the gulp: structlog asks after every line."""

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        sys.stderr.buffer.write(b"".join(lines))
        sys.stderr.buffer.flush()


def configure(
    *, level: str = "INFO", style: str = "auto", gather: bool = False
) -> None:
    """Set up structlog and the standard library's logging alike.

    `gather`: a process of many events writes their lines in gulps, and loses the last
    one if it is killed.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[*_SHARED, *_ending(console=console)],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level]
        ),
        logger_factory=(
            structlog.PrintLoggerFactory(sys.stderr)
            if console
            else structlog.BytesLoggerFactory(
                cast("BinaryIO", _Gulps()) if gather else sys.stderr.buffer
            )
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
