"""The rules of types: those shipped, those that undo each other, and any JSON."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.governance import types
from domain.governance.parameters import Deed, Parameters
from domain.governance.types import may_change
from tests.domain.governance.test_lifecycle import parameters

SHIPPED = {
    *("simple_majority", "two_thirds", "consent", "council_election", "recall"),
    *("budget", "treasury_spend", "bylaw_change", "council_decision"),
}
LEAST = {"about": "anything", "method": "yes-no"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = sorted(Parameters.read(LEAST).describe())


def read(**fields):
    return Parameters.read({**LEAST, **fields})


def test_every_type_that_is_shipped_can_be_read(session):
    found = {rules.name: rules for rules in types.newest(session)}

    assert found.keys() >= SHIPPED
    for name in SHIPPED:
        rules = found[name]
        assert 1 <= rules.parameters.voting_days <= 30
        assert rules.changed_by is None


def test_shipped_rules_can_be_changed_by_somebody(session):
    found = [rules.parameters for rules in types.newest(session)]
    highest = max(rules.rank for rules in found)

    changers = [rules for rules in found if rules.deed is Deed.PARAMETERS]
    assert [rules.rank for rules in changers] == [highest]


def test_what_is_carried_out_waits_for_a_guardian(session):
    found = {rules.name: rules.parameters for rules in types.newest(session)}

    for name in ("treasury_spend", "bylaw_change"):
        assert found[name].veto
        assert found[name].signed
        assert found[name].timelock_hours >= 48


@given(parameters())
def test_what_is_written_is_read_again(rules):
    assert Parameters.read(json.loads(json.dumps(rules.describe()))) == rules


@pytest.mark.parametrize(
    "fields",
    [
        {"secret": True},
        {"secret": True, "replaceable": False, "weight": "credits"},
        {"secret": True, "replaceable": False, "delegation": True},
        {"secret": True, "replaceable": False, "method": "quadratic"},
        {"secret": True, "replaceable": False, "early_close": True},
        {"method": "quadratic", "weight": "credits"},
        {"method": "quadratic", "delegation": True},
        {"method": "approval", "early_close": True, "replaceable": False},
        {"early_close": True},
        {"early_close": True, "replaceable": False, "delegation": True},
        {"delegation_cap": 5},
        {"extension_hours": 5},
        {"deed": "spend", "veto": True},
        {"deed": "seats"},
        {"deed": "spend", "method": "approval"},
    ],
    ids=str,
)
def test_rules_that_undo_each_other_are_refused(fields):
    with pytest.raises(Invalid):
        read(**fields)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("about", ""),
        ("about", "x" * 501),
        ("method", "coin-toss"),
        ("method", ["yes-no"]),
        ("rank", 0),
        ("rank", 10),
        ("rank", True),
        ("voting_days", 0),
        ("voting_days", 31),
        ("voting_days", 7.0),
        ("proposers", "everybody"),
        ("weight", {}),
        ("quorum", 1),
        ("quorum", "3/2"),
        ("deed", "war"),
        ("requirements", 5),
        ("requirements", [{}]),
        ("secret", 1),
        ("delegation_cap", 0),
        ("grace_hours", 0),
        ("score_max", 0),
        ("colour", "green"),
    ],
)
def test_a_parameter_out_of_bounds_is_refused_by_its_name(name, wrong):
    with pytest.raises(Invalid):
        read(**{name: wrong})


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), JSON))
def test_any_json_is_rules_or_is_refused_as_none(given_json):
    try:
        rules = Parameters.read({**LEAST, **given_json})
    except Invalid:
        return
    assert Parameters.read(rules.describe()) == rules


@given(JSON)
def test_what_is_no_object_is_refused(value):
    with pytest.raises(Invalid):
        Parameters.read(value)


RANKS = st.integers(1, 9)


@given(RANKS, RANKS | st.none(), RANKS, RANKS)
def test_nobody_makes_rules_as_strict_as_those_they_act_under(by, target, new, others):
    rules = read()
    highest = max(by, target or 1, others)
    allowed = may_change(
        replace(rules, rank=by),
        None if target is None else replace(rules, rank=target),
        replace(rules, rank=new),
        highest=highest,
    )

    if by == highest:
        assert allowed is (new <= highest)
    else:
        assert allowed is (target is not None and target < by and new < by)
