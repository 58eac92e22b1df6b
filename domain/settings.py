"""Settings from the environment, validated together before anything starts."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

OFF: Final = "off"
_RATE: Final = re.compile(
    r"[1-9][0-9]{0,11}/([1-9][0-9]{0,3} )?(second|minute|hour|day)s?"
)
_ORIGIN: Final = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?"
)

_BOUNDS: Final = re.compile(r"([a-z_]+)=([0-9]{1,4})-([0-9]{1,4})")
# A namespace and a name as Kubernetes has them (RFC 1123 labels).
_DEPLOYMENT: Final = re.compile(
    r"[a-z_]+=[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
)


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


def web_address(text: str) -> str:
    """Return an address that cannot be read or changed on its way, or on this host."""
    parts = urlsplit(text)
    loopback = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise ValueError("must be a web address")
    if "@" in parts.netloc:
        # It is shown to people, sent to others and logged.
        raise ValueError("must not hold a password")
    if parts.scheme == "http" and not loopback:
        raise ValueError("must start with https://")
    return text


def _rate(text: str) -> str:
    if text != OFF and not _RATE.fullmatch(text):
        raise ValueError(f"must be such as 600/minute or 50/10 second, or {OFF}")
    return text


def _networks(text: str) -> str:
    for network in text.split(","):
        try:
            ip_network(network.strip())
        except ValueError as error:
            raise ValueError(f"must be networks such as 10.0.0.0/8: {error}") from None
    return text


def _origins(text: str) -> str:
    for origin in text.split(","):
        if not _ORIGIN.fullmatch(origin.strip()):
            raise ValueError(
                f"must be exact origins such as https://app.example, not {origin!r}"
            )
    return text


def _bounds(text: str) -> str:
    for part in text.split(","):
        found = _BOUNDS.fullmatch(part.strip())
        if not found or not 1 <= int(found[2]) <= int(found[3]):
            raise ValueError(f"must be bounds such as ledger=1-8, not {part!r}")
    return text


def _deployments(text: str) -> str:
    for part in text.split(","):
        if not _DEPLOYMENT.fullmatch(part.strip()):
            raise ValueError(f"must be such as ledger=namespace/name, not {part!r}")
    return text


def _setting(
    parse: Callable[[str], Any], default: Any, meaning: str, *, secret: bool = False
) -> Any:
    """Declare a setting; a secret one is in no `repr`, and never printed."""
    metadata = {"parse": parse, "meaning": meaning, "secret": secret}
    return field(default=default, repr=not secret, metadata=metadata)


_POSTGRES = _url("postgresql", "postgresql+psycopg2", "postgres")
_REDIS = _url("redis", "rediss")
_RABBITMQ = _url("amqp", "amqps")
_SMTP = _url("smtp", "smtps")

# The first means nothing without the second.
_PAIRS: Final = (
    ("bot_check_url", "bot_check_secret"),
    ("oidc_issuer", "oidc_audience"),
    ("smtp_url", "mail_from"),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a deployment may choose; each field is read from its upper-case name."""

    database_url: str = _setting(
        _POSTGRES, "", "PostgreSQL 15 to 18; required", secret=True
    )
    redis_url: str = _setting(
        _REDIS, "", "Redis 6.2 or newer, the default broker", secret=True
    )
    rabbitmq_url: str = _setting(
        _RABBITMQ, "", "RabbitMQ as broker instead of Redis", secret=True
    )
    database_pool_size: int = _setting(
        _whole(1, 200), 12, "connections each API process may open"
    )
    ledger_lanes: int = _setting(
        _whole(1, 64), 1, "lanes of the ledger queue; one writer each"
    )
    intake_limit: int = _setting(
        _whole(1, 1_000_000), 2_000, "jobs an API process holds before it answers 503"
    )
    cache_seconds: int = _setting(
        _whole(0, 60),
        1,
        "how long Redis keeps what was read, 0 for not at all; the same for all",
    )
    deadline_seconds: int = _setting(
        _whole(1, 31_536_000), 86_400, "a job not begun by then expires"
    )
    attempts_max: int = _setting(
        _whole(1, 100), 8, "attempts before a job counts as failed"
    )
    token_issuer: str = _setting(
        str, "peoples-coin", "`iss` of the tokens people get; your address, say"
    )
    token_secret: str = _setting(
        str,
        "",
        "what signing keys are made and secret ballots sealed with; the same for all",
        secret=True,
    )
    smtp_url: str = _setting(
        _SMTP,
        "",
        "smtp:// or smtps:// of mail; without it, mail is in the worker's log",
        secret=True,
    )
    mail_from: str = _setting(str, "", "the sender of mail; required for it")
    password_reset_url: str = _setting(
        web_address, "", "your page for a new password; it is given `?token=`"
    )
    bot_check_url: str = _setting(
        web_address, "", "where `captcha` is verified, as reCAPTCHA's `siteverify`"
    )
    bot_check_secret: str = _setting(str, "", "your secret there", secret=True)
    oidc_issuer: str = _setting(
        web_address, "", "an OpenID issuer whose people may log in with its tokens"
    )
    oidc_audience: str = _setting(str, "", "what its tokens for us name in `aud`")
    rate_limit_key: str = _setting(
        _rate, "6000000/minute", "reads, and entries written, of one API key"
    )
    rate_limit_person: str = _setting(
        _rate, "600/minute", "reads, and entries written, of one person"
    )
    rate_limit_address: str = _setting(
        _rate, "1200/minute", "requests of one address that nobody is known to send"
    )
    rate_limit_login: str = _setting(
        _rate, "300/minute", "logins, sign-ups and resets from one address"
    )
    trusted_proxies: str = _setting(
        _networks, "", "networks of proxies that say who calls, with commas"
    )
    cors_origins: str = _setting(
        _origins, "", "origins whose pages may call, with commas"
    )
    otel_exporter_otlp_endpoint: str = _setting(
        _url("http", "https"),
        "",
        "where spans are sent, as OTLP over HTTP; needs the extra `otel`",
        secret=True,
    )
    webhook_loopback: str = _setting(
        _one_of("on", OFF), OFF, "on: webhooks may go to this host; for development"
    )
    controller_target: str = _setting(
        _one_of("local", "celery", "kubernetes", "none"),
        "none",
        "whom the controller tells a size; none: it recommends",
    )
    controller_mode: str = _setting(
        _one_of("active", "dry_run"), "active", "dry_run: record, and tell nobody"
    )
    controller_policy: str = _setting(
        _one_of("age", "classic"), "age", "what decides; see `coin controller replay`"
    )
    controller_bounds: str = _setting(
        _bounds, "", "workers of a group, such as ledger=1-8,outbound=1-4"
    )
    controller_deployments: str = _setting(
        _deployments,
        "",
        "Deployments of the groups, such as ledger=coin/worker,outbound=coin/outbound",
    )
    workers_socket: str = _setting(
        str, ".data/workers.sock", "where the pool of workers of this host is told"
    )
    observability_port: int = _setting(
        _whole(0, 65_535), 0, "port of the observability node; 0: `coin up` has none"
    )
    observability_database_url: str = _setting(
        _POSTGRES, "", "a login of its own for the observability node", secret=True
    )
    metrics_port_workers: int = _setting(
        _whole(0, 65_535), 0, "port of the workers' figures; 0: none"
    )
    metrics_port_controller: int = _setting(
        _whole(0, 65_535), 0, "port of the controller's figures; 0: none"
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
        faults += [
            f"{other.upper()}: is required with {name.upper()}"
            for name, other in _PAIRS
            if values.get(name) and not values.get(other)
        ]
        if faults:
            raise InvalidSettings("\n".join(faults))
        return cls(**values)
