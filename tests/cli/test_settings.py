"""Settings are declared once: the file of examples and what is printed follow."""

from pathlib import Path

import pytest

import cli
from domain.settings import Settings

ROOT = Path(cli.__file__).parent.parent
DATABASE = "postgresql://coin:hush@db.example:5432/coin"


def shown(answer, name):
    (line,) = [x for x in answer.output.splitlines() if x.startswith(f"{name}=")]
    return line.partition("=")[2]


def test_the_example_file_is_what_is_declared(coin):
    answer = coin("settings", "--env-example")

    assert answer.output == (ROOT / ".env.example").read_text()


def test_the_example_file_names_every_setting_and_holds_no_value_of_a_secret(coin):
    lines = coin("settings", "--env-example").output.splitlines()
    given = dict(
        line.removeprefix("# ").split("=", 1)
        for line in lines
        if line.removeprefix("# ").partition("=")[0].isupper() and "=" in line
    )

    declared = Settings.__dataclass_fields__
    assert list(given) == [name.upper() for name in declared]
    assert not any(
        given[name.upper()] for name, one in declared.items() if one.metadata["secret"]
    )


def test_what_is_set_is_printed_and_what_is_not_has_its_default(coin):
    answer = coin("settings", DATABASE_URL=DATABASE, LEDGER_LANES="4")

    assert answer.exit_code == 0, answer.output
    assert shown(answer, "LEDGER_LANES") == "4"
    assert shown(answer, "LOG_LEVEL") == "INFO (default)"


def test_no_secret_is_printed(coin):
    answer = coin(
        "settings",
        DATABASE_URL=DATABASE,
        REDIS_URL="redis://:hush@cache.example/0",
        RABBITMQ_URL="amqp://coin:hush@queue.example/",
        TOKEN_SECRET="hush",
        SMTP_URL="smtps://coin:hush@mail.example",
        MAIL_FROM="coin@example.org",
        BOT_CHECK_URL="https://check.example/verify",
        BOT_CHECK_SECRET="hush",
    )

    assert answer.exit_code == 0, answer.output
    assert "hush" not in answer.output
    assert shown(answer, "DATABASE_URL") == "postgresql://***@db.example:5432/coin"
    assert shown(answer, "SMTP_URL") == "smtps://***@mail.example"
    assert shown(answer, "TOKEN_SECRET") == "***"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example/coin?user=coin&password=hush",
        "postgresql://coin:x@db.example/coin?password=a@hush",
        "postgresql://coin:a@hush@db.example/coin",
        "postgresql://coin:a/hush@db.example/coin",
        "postgresql://coin:a?hush@db.example/coin",
        "postgresql://coin:a#hush@db.example/coin",
    ],
)
def test_no_part_of_a_password_is_printed_however_it_was_written(coin, url):
    answer = coin("settings", DATABASE_URL=url)

    assert answer.exit_code == 0, answer.output
    assert "hush" not in answer.output


def test_every_fault_is_said_at_once(coin):
    answer = coin("settings", DATABASE_URL="mysql://x", LEDGER_LANES="0")

    assert answer.exit_code == 1
    assert "DATABASE_URL" in answer.output
    assert "LEDGER_LANES" in answer.output
