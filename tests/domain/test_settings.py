import pytest

from domain.settings import InvalidSettings, Settings

DATABASE = {"DATABASE_URL": "postgresql://x/y"}


def faults(**environ):
    with pytest.raises(InvalidSettings) as raised:
        Settings.from_environ(environ)
    return str(raised.value).splitlines()


def test_a_database_is_all_that_is_needed():
    settings = Settings.from_environ(DATABASE)

    assert settings == Settings(database_url="postgresql://x/y")
    assert settings.broker_url == ""


def test_each_setting_is_read_from_its_upper_case_name():
    settings = Settings.from_environ(
        DATABASE | {"LEDGER_LANES": " 7 ", "LOG_LEVEL": "DEBUG", "UNKNOWN": "1"}
    )

    assert (settings.ledger_lanes, settings.log_level) == (7, "DEBUG")


def test_an_empty_setting_is_none():
    assert Settings.from_environ(DATABASE | {"LEDGER_LANES": ""}).ledger_lanes == 1


def test_every_fault_is_named_at_once():
    found = faults(LEDGER_LANES="0", ATTEMPTS_MAX="many", LOG_LEVEL="LOUD")

    assert [fault.partition(":")[0] for fault in found] == [
        "LEDGER_LANES",
        "ATTEMPTS_MAX",
        "LOG_LEVEL",
        "DATABASE_URL",
    ]
    assert found[0] == "LEDGER_LANES: must be between 1 and 64"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x/y"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("RABBITMQ_URL", "redis://x"),
        ("LEDGER_LANES", "65"),
        ("LEDGER_LANES", "1.5"),
        ("LOG_FORMAT", "xml"),
        ("RATE_LIMIT_KEY", "0/minute"),
        ("RATE_LIMIT_KEY", "600"),
        ("RATE_LIMIT_PERSON", "600/fortnight"),
        ("RATE_LIMIT_ADDRESS", "-1/minute"),
        ("RATE_LIMIT_LOGIN", "none"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://*.example"),
        ("CORS_ORIGINS", "https://app.example/"),
        ("CORS_ORIGINS", "app.example"),
        ("CORS_ORIGINS", "https://app.example,,https://b.example"),
        ("CONTROLLER_TARGET", "docker"),
        ("CONTROLLER_BOUNDS", "ledger=8"),
        ("CONTROLLER_BOUNDS", "ledger=0-8"),
        ("CONTROLLER_BOUNDS", "ledger=8-1"),
        ("CONTROLLER_DEPLOYMENTS", "ledger=worker"),
        ("CONTROLLER_DEPLOYMENTS", "ledger=coin/Worker"),
    ],
)
def test_what_cannot_be_is_refused(name, value):
    assert [
        fault.partition(":")[0] for fault in faults(**DATABASE | {name: value})
    ] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMIT_KEY", "off"),
        ("RATE_LIMIT_KEY", "1/second"),
        ("RATE_LIMIT_PERSON", "50/10 seconds"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1, fd00::/8"),
        ("CORS_ORIGINS", "https://app.example, http://localhost:3000, https://[::1]:8"),
    ],
)
def test_what_can_be_is_taken_as_it_is(name, value):
    settings = Settings.from_environ(DATABASE | {name: value})

    assert getattr(settings, name.lower()) == value


def test_rabbitmq_is_the_broker_where_both_are_set():
    settings = Settings.from_environ(
        DATABASE | {"REDIS_URL": "redis://r", "RABBITMQ_URL": "amqp://a"}
    )

    assert settings.broker_url == "amqp://a"


SECRETS = {
    "DATABASE_URL": "postgresql://coin:hush@db.example/coin",
    "OBSERVABILITY_DATABASE_URL": "postgresql://eye:hush@db.example/coin",
    "REDIS_URL": "redis://:hush@cache.example/0",
    "RABBITMQ_URL": "amqp://coin:hush@queue.example/",
    "TOKEN_SECRET": "hush",
    "SMTP_URL": "smtps://coin:hush@mail.example",
    "BOT_CHECK_SECRET": "hush",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://coin:hush@collector.example:4318",
}


def test_what_may_hold_a_secret_is_declared_as_one():
    secret = {
        name.upper()
        for name, one in Settings.__dataclass_fields__.items()
        if one.metadata["secret"]
    }

    assert secret == SECRETS.keys()


def test_settings_show_no_secret():
    settings = Settings.from_environ({**SECRETS, "MAIL_FROM": "coin@example.org"})

    assert "hush" not in f"{settings} {settings!r}"
    assert "coin@example.org" in repr(settings)


@pytest.mark.parametrize("name", [name for name in SECRETS if name.endswith("_URL")])
def test_a_fault_of_a_secret_does_not_repeat_it(name):
    assert "hush" not in str(faults(**DATABASE | {name: "hush://coin:hush@x"}))


def test_an_address_others_see_holds_no_password():
    (fault,) = faults(
        **DATABASE, PASSWORD_RESET_URL="https://coin:hush@app.example/reset"
    )

    assert fault == "PASSWORD_RESET_URL: must not hold a password"
