"""A process starts only on a database it agrees with."""

import pytest
import sqlalchemy as sa

import tasks
from domain.operations import OperationsDiffer
from domain.schema import SchemaTooOld
from domain.settings import InvalidSettings
from tests.databases import administer


@pytest.fixture
def other_database(new_database, monkeypatch):
    with new_database() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Logs of the whole process are not this test's to set up."""
    monkeypatch.setattr("logconfig.configure", lambda **_style: None)


def test_a_process_starts_where_code_and_database_agree():
    tasks.start()


def test_a_process_does_not_start_where_they_differ(other_database):
    administer(other_database, "UPDATE operations SET amount = 7 WHERE amount = 10")

    with pytest.raises(OperationsDiffer, match="CREDIT_ADD is 7 in the database"):
        tasks.start()


def test_a_process_does_not_start_on_an_older_schema(other_database):
    administer(other_database, "UPDATE alembic_version SET version_num = '0008'")

    with pytest.raises(SchemaTooOld, match=r"at 0008, .* `coin migrate`"):
        tasks.start()


def test_a_process_starts_on_a_newer_schema(other_database):
    """It was migrated for those that come after; this one may be started again."""
    administer(other_database, "UPDATE alembic_version SET version_num = '9999'")

    tasks.start()


def test_a_process_does_not_start_on_a_database_that_is_not_migrated(
    empty_database, monkeypatch
):
    with empty_database() as url:
        monkeypatch.setenv("DATABASE_URL", url)

        with pytest.raises(sa.exc.SQLAlchemyError):
            tasks.start()


def test_a_process_does_not_start_without_a_database(monkeypatch):
    monkeypatch.delenv("DATABASE_URL")

    with pytest.raises(InvalidSettings, match="DATABASE_URL"):
        tasks.start()


def test_a_worker_that_does_not_start_says_why_in_one_line(other_database):
    """Celery would log the exception and go on."""
    administer(other_database, "UPDATE operations SET retired = true WHERE amount = 10")

    with pytest.raises(SystemExit) as ended:
        tasks._start_worker()

    assert str(ended.value).startswith("worker: commons.CREDIT_ADD (10) is in code")
