import itertools

import pytest

from domain import apps
from domain.apps import SHARED_OPERATIONS, LedgerOperation, Once, Terms, applications
from tests.factories import SHARED

_numbers = itertools.count()


@pytest.fixture
def name():
    """An application of this test alone: it is forgotten afterwards."""
    before = dict(applications())
    yield f"app{next(_numbers)}"
    apps._applications.clear()
    apps._applications.update(before)


def test_a_complete_application_is_known_by_its_name(name):
    class Games(LedgerOperation, application=name):
        DAILY_REWARD = Terms(1, once=Once.PER_UTC_DAY)
        SIGNUP_CREDIT = Terms(3, once=Once.PER_OWNER)
        CREDIT_SPEND = Terms(-1)
        CREDIT_ADD = Terms(10)
        LEVEL_WON = Terms(7)

    assert applications()[name] is Games
    assert Games.LEVEL_WON.terms.amount == 7


def test_members_of_equal_amounts_are_not_aliases(name):
    class Games(LedgerOperation, application=name):
        DAILY_REWARD = Terms(1)
        SIGNUP_CREDIT = Terms(1)
        CREDIT_SPEND = Terms(1)
        CREDIT_ADD = Terms(1)

    assert [member.name for member in Games] == list(SHARED_OPERATIONS)


def test_one_terms_object_under_two_names_is_refused(name):
    terms = Terms(1)

    with pytest.raises(TypeError, match="DAILY_REWARD, CREDIT_ADD share one Terms"):
        LedgerOperation(
            "Games",
            {**SHARED, "DAILY_REWARD": terms, "CREDIT_ADD": terms},
            application=name,
        )


@pytest.mark.parametrize("missing", SHARED_OPERATIONS)
def test_an_application_without_a_shared_operation_is_refused(name, missing):
    operations = {key: terms for key, terms in SHARED.items() if key != missing}

    with pytest.raises(TypeError, match=f"lacks shared operations: {missing}"):
        LedgerOperation("Games", operations, application=name)


def test_an_incomplete_class_is_refused_while_it_is_defined(name):
    with pytest.raises(TypeError, match="lacks shared operations: CREDIT_SPEND"):

        class Games(LedgerOperation, application=name):
            DAILY_REWARD = Terms(1)
            SIGNUP_CREDIT = Terms(3)
            CREDIT_ADD = Terms(10)


@pytest.mark.parametrize(
    "value", [5, None, "5", Terms(None), Terms(1.0), Terms(True), (5,)], ids=repr
)
def test_an_operation_without_a_whole_amount_is_refused(name, value):
    with pytest.raises(TypeError, match="no amount for LEVEL_WON"):
        LedgerOperation("Games", {**SHARED, "LEVEL_WON": value}, application=name)


def test_a_class_without_an_amount_is_refused_while_it_is_defined(name):
    with pytest.raises(TypeError, match="no amount for CREDIT_ADD"):

        class Games(LedgerOperation, application=name):
            DAILY_REWARD = Terms(1)
            SIGNUP_CREDIT = Terms(3)
            CREDIT_SPEND = Terms(-1)
            CREDIT_ADD = 10


def test_a_second_application_of_one_name_is_refused(name):
    LedgerOperation("Games", SHARED, application=name)

    with pytest.raises(TypeError, match=f"application '{name}' is defined already"):
        LedgerOperation("Others", SHARED, application=name)


def test_what_ships_cannot_be_defined_again(name):
    with pytest.raises(TypeError, match="'commons' is defined already"):

        class Commons(LedgerOperation, application="commons"):
            DAILY_REWARD = Terms(1)
            SIGNUP_CREDIT = Terms(3)
            CREDIT_SPEND = Terms(-1)
            CREDIT_ADD = Terms(1_000_000)


def test_a_class_without_an_application_is_refused(name):
    with pytest.raises(TypeError, match="name its application"):

        class Games(LedgerOperation):
            DAILY_REWARD = Terms(1)
            SIGNUP_CREDIT = Terms(3)
            CREDIT_SPEND = Terms(-1)
            CREDIT_ADD = Terms(10)


def test_a_call_defines_the_same_as_a_class(name):
    games = LedgerOperation(
        "Games", {**SHARED, "LEVEL_WON": Terms(7)}, application=name
    )

    assert applications()[name] is games
    assert {m.name: m.terms.amount for m in games} == {
        "DAILY_REWARD": 1,
        "SIGNUP_CREDIT": 3,
        "CREDIT_SPEND": -1,
        "CREDIT_ADD": 10,
        "LEVEL_WON": 7,
    }


@pytest.mark.parametrize(
    "names", [list(SHARED), " ".join(SHARED), list(SHARED.items())], ids=type
)
def test_a_call_with_names_alone_is_refused(name, names):
    with pytest.raises(TypeError, match="give its operations as"):
        LedgerOperation("Games", names, application=name)


def test_a_call_without_an_application_defines_nothing(name):
    before = dict(applications())

    with pytest.raises((TypeError, ValueError)):
        LedgerOperation("Games", SHARED)

    assert dict(applications()) == before


def test_a_refused_application_leaves_its_name_free(name):
    with pytest.raises(TypeError):
        LedgerOperation("Games", {}, application=name)

    assert name not in applications()


@pytest.mark.parametrize("reserved", ["TRANSFER", "REVERSAL"])
def test_the_names_of_moves_every_application_has_are_refused(name, reserved):
    with pytest.raises(TypeError, match=reserved):
        LedgerOperation("Games", {**SHARED, reserved: Terms(1)}, application=name)


@pytest.mark.parametrize("unfit", ["a/b", "@a", "a b", "A", "a\0", "é", ""])
def test_an_application_name_unfit_for_keys_and_urls_is_refused(unfit):
    with pytest.raises(TypeError, match="application"):
        LedgerOperation("Games", SHARED, application=unfit)

    assert unfit not in applications()


def test_the_shipped_amounts_are_those_of_the_case_study():
    amounts = {
        application: {m.name: m.terms.amount for m in enum}
        for application, enum in applications().items()
    }
    shared = {"DAILY_REWARD": 1, "SIGNUP_CREDIT": 3, "CREDIT_SPEND": -1}

    assert amounts == {
        "commons": {**shared, "CREDIT_ADD": 10},
        "content": {
            **shared,
            "CREDIT_ADD": 10,
            "CONTENT_CREATION": -5,
            "CONTENT_ACCESS": 0,
        },
    }


@pytest.mark.parametrize("application", ["commons", "content"])
def test_rewards_come_once_and_credits_need_their_scope(application):
    operations = applications()[application]

    once = {m.name: m.terms.once for m in operations if m.terms.once}
    assert once == {
        "DAILY_REWARD": Once.PER_UTC_DAY,
        "SIGNUP_CREDIT": Once.PER_OWNER,
    }
    assert operations["CREDIT_ADD"].terms.scope == "ledger:credit"
