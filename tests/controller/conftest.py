import pytest


@pytest.fixture
def own_database(new_database):
    """A database that no other test measures."""
    with new_database() as url:
        yield url
