from datetime import UTC, datetime

import pytest

from cli.standing_keys import standing_keys
from domain import keys
from domain.db import create_engine, session_factory
from domain.settings import Settings


@pytest.fixture
def database(coin, bare_database):
    assert coin("migrate", DATABASE_URL=bare_database).exit_code == 0
    return bare_database


@pytest.fixture
def settings(database):
    return Settings(database_url=database)


@pytest.fixture
def sessions(settings):
    engine = create_engine(settings, role=False)
    yield session_factory(engine)
    engine.dispose()


def authenticate(sessions, text):
    with sessions.begin() as session:
        return keys.authenticate(session, text, now=datetime.now(UTC))


def test_a_key_is_shown_once_and_opens_what_it_should(coin, database, sessions):
    made = coin(
        *("keys", "create", "--application", "content"),
        *("--scope", "ledger:read", "--scope", "ledger:spend", "--name", "shop"),
        DATABASE_URL=database,
    )
    assert made.exit_code == 0
    text = made.stdout.strip()
    principal = authenticate(sessions, text)
    assert principal.application == "content"
    assert principal.scopes == {"ledger:read", "ledger:spend"}
    listed = coin("keys", "list", DATABASE_URL=database).stdout
    assert "shop" in listed
    assert "active" in listed
    assert text not in listed


def test_all_means_every_scope(coin, database, sessions):
    made = coin(
        *("keys", "create", "--application", "commons", "--scope", "all"),
        DATABASE_URL=database,
    )
    principal = authenticate(sessions, made.stdout.strip())
    assert principal.scopes == set(keys.SCOPES)


def test_a_revoked_key_opens_nothing(coin, database, sessions):
    made = coin(
        *("keys", "create", "--application", "commons", "--scope", "all"),
        DATABASE_URL=database,
    )
    text = made.stdout.strip()
    revoked = coin("keys", "revoke", text.split("_")[1], DATABASE_URL=database)
    assert revoked.exit_code == 0
    assert authenticate(sessions, text) is None
    assert "revoked" in coin("keys", "list", DATABASE_URL=database).stdout


def test_a_key_expires_when_it_was_told_to(coin, database, sessions):
    made = coin(
        *("keys", "create", "--application", "commons", "--scope", "all"),
        *("--expires-days", "2"),
        DATABASE_URL=database,
    )
    text = made.stdout.strip()
    with sessions.begin() as session:
        expiry = keys.list_keys(session)[-1].expires_at
    assert 1 < (expiry - datetime.now(UTC)).total_seconds() / 86_400 <= 2
    assert authenticate(sessions, text) is not None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["create", "--application", "nope", "--scope", "all"], "no application"),
        (["create", "--application", "commons", "--scope", "fly"], "fly"),
        (["create", "--application", "commons"], "--scope"),
        (["revoke", "nope"], "no API key"),
    ],
)
def test_a_mistake_is_explained(coin, database, arguments, complaint):
    answer = coin("keys", *arguments, DATABASE_URL=database)
    assert answer.exit_code != 0
    assert complaint in answer.output
    assert "Traceback" not in answer.output


def test_a_database_that_is_away_is_explained(coin):
    answer = coin("keys", "list", DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    assert answer.exit_code == 1
    assert "Connection refused" in answer.output


def test_every_fault_of_the_settings_is_printed(coin):
    answer = coin("migrate", DATABASE_URL="mysql://x", LOG_LEVEL="LOUD")
    assert answer.exit_code == 1
    assert "DATABASE_URL" in answer.output
    assert "LOG_LEVEL" in answer.output


def test_a_migration_that_has_run_changes_nothing(coin, database):
    again = coin("migrate", DATABASE_URL=database)
    assert again.exit_code == 0
    assert "the database is at revision" in again.stdout


def test_standing_keys_stay_the_same_from_run_to_run(settings, tmp_path):
    first = standing_keys(settings, tmp_path)
    assert standing_keys(settings, tmp_path) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_a_lost_standing_key_is_replaced_and_its_principal_kept(
    settings, sessions, tmp_path
):
    first = standing_keys(settings, tmp_path)
    before = authenticate(sessions, first["commons"])
    (tmp_path / "keys.json").unlink()
    second = standing_keys(settings, tmp_path)
    assert authenticate(sessions, second["commons"]).id == before.id
    assert authenticate(sessions, first["commons"]) is None


def test_two_directories_on_one_database_keep_their_own_keys(
    settings, sessions, tmp_path
):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = standing_keys(settings, tmp_path / "one")
    standing_keys(settings, tmp_path / "two")
    assert authenticate(sessions, first["commons"]) is not None
