import pytest
import sqlalchemy as sa

from domain import apps
from domain.apps import LedgerOperation, Terms, applications
from domain.operations import (
    Operation,
    OperationsDiffer,
    changes,
    differences,
    require_agreement,
)
from tests import databases
from tests.factories import SHARED


@pytest.fixture
def session(owner_engine):
    """The table's owner: the application itself may only read it."""
    with databases.rolled_back(owner_engine) as session:
        yield session


@pytest.fixture
def games():
    """An application that is in code only."""
    before = dict(applications())
    operations = {**SHARED, "LEVEL_WON": Terms(7)}
    yield LedgerOperation("Games", operations, application="games")
    apps._applications.clear()
    apps._applications.update(before)


def change(session, name, **values):
    session.execute(
        sa.update(Operation)
        .where(Operation.application == "commons", Operation.name == name)
        .values(**values)
    )


def test_a_fresh_installation_agrees_with_its_code(session):
    assert differences(session) == []
    require_agreement(session)


def test_an_operation_only_the_database_has_is_named(session):
    session.add(Operation(application="commons", name="GIFT", amount=2))
    session.flush()

    assert differences(session) == ["commons.GIFT is in the database and not in code"]


def test_an_operation_only_code_has_is_named_with_its_amount(session, games):
    assert differences(session) == [
        "games.CREDIT_ADD (10) is in code and not in the database",
        "games.CREDIT_SPEND (-1) is in code and not in the database",
        "games.DAILY_REWARD (1) is in code and not in the database",
        "games.LEVEL_WON (7) is in code and not in the database",
        "games.REVERSAL (None) is in code and not in the database",
        "games.SIGNUP_CREDIT (3) is in code and not in the database",
        "games.TRANSFER (None) is in code and not in the database",
    ]


def test_another_amount_is_named_with_both(session):
    change(session, "CREDIT_ADD", amount=11)

    assert differences(session) == [
        "commons.CREDIT_ADD is 11 in the database and 10 in code"
    ]


def test_an_amount_the_database_lacks_is_a_difference(session):
    change(session, "CREDIT_SPEND", amount=None)

    assert differences(session) == [
        "commons.CREDIT_SPEND is None in the database and -1 in code"
    ]


def test_a_retired_operation_that_code_still_has_is_a_difference(session):
    change(session, "CREDIT_SPEND", retired=True)

    assert differences(session) == [
        "commons.CREDIT_SPEND (-1) is in code and not in the database"
    ]


def test_an_operation_retired_on_both_sides_is_agreement(session):
    session.add(Operation(application="commons", name="GIFT", amount=2, retired=True))
    session.flush()

    assert changes(session) == []


def test_every_difference_and_the_way_out_are_said_at_once(session):
    change(session, "CREDIT_ADD", amount=11)
    change(session, "DAILY_REWARD", amount=2)

    with pytest.raises(OperationsDiffer) as raised:
        require_agreement(session)

    assert str(raised.value) == (
        "commons.CREDIT_ADD is 11 in the database and 10 in code; "
        "commons.DAILY_REWARD is 2 in the database and 1 in code. "
        "Run `coin operations migrate`, then `coin migrate`."
    )
