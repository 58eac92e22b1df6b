import pytest

from domain.ledger import balance
from tests.factories import make_origin, make_owner


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def origin():
    return make_origin()


@pytest.fixture
def balance_of(session):
    """Return what an owner has, and after how many transfers."""

    def balance_of(owner, application="commons"):
        found = balance(session, application=application, owner=owner)
        return found.balance, found.version

    return balance_of
