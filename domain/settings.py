"""Settings from the environment, validated together before anything starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class InvalidSettings(ValueError):
    """Every fault found in the environment, one a line."""


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}")
        return number

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return parse


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not any(text.startswith(f"{scheme}://") for scheme in schemes):
            raise ValueError(
                f"must start with {' or '.join(f'{s}://' for s in schemes)}"
            )
        return text

    return parse


def _setting(parse: Callable[[str], Any], default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"parse": parse, "meaning": meaning})


_POSTGRES = _url("postgresql", "postgresql+psycopg2", "postgres")
_REDIS = _url("redis", "rediss")
_RABBITMQ = _url("amqp", "amqps")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a deployment may choose; each field is read from its upper-case name."""

    database_url: str = _setting(_POSTGRES, "", "PostgreSQL 15 to 18; required")
    redis_url: str = _setting(_REDIS, "", "Redis 6.2 or newer, the default broker")
    rabbitmq_url: str = _setting(_RABBITMQ, "", "RabbitMQ as broker instead of Redis")
    database_pool_size: int = _setting(
        _whole(1, 200), 12, "connections each API process may open"
    )
    ledger_lanes: int = _setting(
        _whole(1, 64), 1, "lanes of the ledger queue; one writer each"
    )
    intake_limit: int = _setting(
        _whole(1, 1_000_000), 2_000, "jobs an API process holds before it answers 503"
    )
    deadline_seconds: int = _setting(
        _whole(1, 31_536_000), 86_400, "a job not begun by then expires"
    )
    attempts_max: int = _setting(
        _whole(1, 100), 8, "attempts before a job counts as failed"
    )
    log_level: str = _setting(
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "least level logged"
    )
    log_format: str = _setting(
        _one_of("auto", "json", "console"), "auto", "auto: console on a terminal"
    )

    @property
    def broker_url(self) -> str:
        """Return the broker's URL; empty when workers poll the database."""
        return self.rabbitmq_url or self.redis_url

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every setting, or raise one InvalidSettings naming all faults."""
        values: dict[str, Any] = {}
        faults: list[str] = []
        for setting in fields(cls):
            name = setting.name.upper()
            text = environ.get(name, "").strip()
            if not text:
                continue
            try:
                values[setting.name] = setting.metadata["parse"](text)
            except ValueError as error:
                faults.append(f"{name}: {error}")
        if not values.get("database_url") and "DATABASE_URL" not in str(faults):
            faults.append("DATABASE_URL: is required; `coin up` starts one for you")
        if faults:
            raise InvalidSettings("\n".join(faults))
        return cls(**values)
