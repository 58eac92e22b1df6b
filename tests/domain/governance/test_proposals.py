"""Proposals: who drafts, changes, opens and withdraws them, and until when."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import roles
from domain.errors import DomainError
from domain.governance import proposals, texts, types
from domain.governance.cases import find
from domain.governance.lifecycle import State
from domain.governance.parameters import Deed
from domain.governance.proposals import MayNotPropose, NotYours
from domain.governance.record import (
    AmendmentChanged,
    BadProposal,
    NoSuchProposal,
    NoSuchProposalType,
    WrongState,
)
from domain.governance.texts import Text
from domain.ids import uuid7
from tests import databases
from tests.councils import make_council
from tests.factories import NOW, make_user
from tests.proposals import (
    TITLE,
    WORDS,
    make_decided,
    make_draft,
    make_open,
    make_text,
)

HOUR = timedelta(hours=1)
TWO = ("lime trees", "maples")


def edit(session, case, *, editor=None, now=NOW, **fields):
    text = replace(Text.of(case.text), **fields)
    editor = editor or case.row.author
    return proposals.edit(session, case.row.id, text, editor=editor, now=now)


def versions(session, case):
    found = texts.versions(session, case.row.id, start=None, limit=50)
    return [texts.describe_version(row.ProposalText, None) for row in found.items]


# Drafting


def test_a_draft_is_shown_as_it_was_written(session):
    author = make_user(session).id
    case = make_draft(session, author=author, tags=("trees", "canal", "trees"))
    shown = case.describe(NOW)

    assert shown["state"] == "draft"
    assert (shown["title"], shown["description"]) == (TITLE, WORDS)
    assert shown["tags"] == ["canal", "trees"]
    assert (shown["author"], shown["version"]) == (str(author), 1)
    assert (shown["timeline"], shown["freeze"], shown["commitment"]) == (None,) * 3
    assert shown["events"] == []


def test_there_is_no_proposal_of_a_type_that_is_not(session):
    with pytest.raises(NoSuchProposalType):
        make_draft(session, type_name="coup")
    with pytest.raises(NoSuchProposal):
        find(session, uuid7())


@pytest.mark.parametrize(
    ("type_name", "options"),
    [
        ("simple_majority", TWO),
        ("council_election", TWO),
        ("budget", ()),
        ("budget", ("one",)),
        ("budget", ("one", "one")),
        ("budget", ("one", "a\nb")),
    ],
)
def test_options_are_what_the_method_asks_for(session, type_name, options):
    author = make_user(session).id
    roles.grant(session, author, "operator", by=None, ends_at=None, now=NOW)

    with pytest.raises(DomainError) as refused:
        make_draft(session, author=author, type_name=type_name, options=options)
    assert refused.value.code in {"bad_proposal", "bad_parameters"}


def test_a_council_that_is_not_there_has_no_proposals(session):
    with pytest.raises(BadProposal, match="no such council"):
        make_draft(session, council_id=uuid7())


def test_who_may_propose_is_said_by_the_type(session):
    member, operator, admin = (make_user(session).id for _ in range(3))
    for user_id, role in ((operator, "operator"), (admin, "admin")):
        roles.grant(session, user_id, role, by=None, ends_at=None, now=NOW)
    details = {"seats": 1, "all": True}
    election = {"type_name": "council_election", "details": details}

    with pytest.raises(MayNotPropose):
        make_draft(session, author=member, **election)
    for author in (operator, admin):
        assert make_draft(session, author=author, **election)


def test_a_council_decides_on_what_its_own_members_propose(session):
    seated, left, another = (make_user(session).id for _ in range(3))
    council = make_council(session, seated, left=left)
    make = {"type_name": "council_decision", "council_id": council}

    assert make_draft(session, author=seated, **make)
    for author in (left, another):
        with pytest.raises(MayNotPropose):
            make_draft(session, author=author, **make)
    with pytest.raises(BadProposal):
        make_draft(session, author=seated, type_name="council_decision")


def test_where_a_council_votes_it_is_said_which(session):
    majority = types.current(session, "simple_majority").parameters
    rules = replace(majority, electors="council")
    types.change(session, "advice", rules, changed_by=uuid7(), now=NOW)

    with pytest.raises(BadProposal, match="which council"):
        make_draft(session, type_name="advice")
    council = make_council(session, make_user(session).id)
    assert make_draft(session, type_name="advice", council_id=council)


@pytest.mark.parametrize("type_name", ["council_election", "recall"])
def test_elections_and_recalls_are_called_not_written(session, type_name):
    rules = types.current(session, type_name).parameters

    with pytest.raises(BadProposal, match="call one"):
        proposals.deeds.require_by_hand(rules)


# Deeds


def test_a_spend_says_to_whom_and_how_much(session):
    member = make_user(session).id
    right = {"to": str(member), "amount": 5}
    wrong = [
        *({}, {"to": str(member)}, {**right, "why": "so"}, {**right, "amount": 0}),
        *({**right, "amount": -1}, {**right, "amount": True}, {**right, "amount": 5.0}),
        *({**right, "amount": 2**53 + 1}, {**right, "to": "ada"}, {**right, "to": 7}),
        *({**right, "to": str(uuid7())}, {**right, "to": None}),
    ]

    assert make_draft(session, type_name="treasury_spend", details=right)
    for details in wrong:
        with pytest.raises(BadProposal):
            make_draft(session, type_name="treasury_spend", details=details)


def change_of(session, name, **fields):
    found = {rules.name: rules.parameters for rules in types.newest(session)}
    base = found.get(name, found["simple_majority"])
    parameters = replace(base, **fields).describe()
    return {"type": name, "parameters": parameters}


def draft_change(session, name, **fields):
    details = change_of(session, name, **fields)
    return make_draft(session, type_name="bylaw_change", details=details)


def test_rules_are_changed_by_stricter_rules_and_the_strictest_by_themselves(session):
    assert draft_change(session, "simple_majority", voting_days=10)
    assert draft_change(session, "bylaw_change", voting_days=20)
    assert draft_change(session, "straw_poll", voting_days=1)


def test_nobody_can_shut_the_rules_for_good(session):
    for fields in ({"rank": 1}, {"deed": Deed.NONE}):
        with pytest.raises(BadProposal, match="ever change"):
            draft_change(session, "bylaw_change", **fields)


def test_rules_below_the_strictest_do_not_raise_others_to_their_own_rank(session):
    bylaws = types.current(session, "bylaw_change").parameters
    middle = replace(bylaws, rank=5)
    types.change(session, "middle", middle, changed_by=uuid7(), now=NOW)

    low = change_of(session, "simple_majority", rank=4)
    high = change_of(session, "simple_majority", rank=5)
    new = change_of(session, "straw_poll")
    assert make_draft(session, type_name="middle", details=low)
    for details in (high, new):
        with pytest.raises(BadProposal, match="stricter"):
            make_draft(session, type_name="middle", details=details)


# Changing


def test_a_text_changes_in_versions_that_show_what_changed(session):
    case = make_draft(session)
    edit(session, case, description=f"{WORDS}\nAnd one bench.", now=NOW + HOUR)
    found = versions(session, case)

    assert [one["version"] for one in found] == [2, 1]
    assert "+And one bench." in found[0]["diff"]
    assert found[1]["diff"] == []


def test_all_that_a_text_says_is_compared(session):
    options = ("lime", "maple")
    to = str(make_user(session).id)
    case = make_draft(
        session,
        type_name="treasury_spend",
        tags=("trees",),
        details={"to": to, "amount": 10},
    )
    edit(session, case, tags=("money", "trees"), details={"to": to, "amount": 10_000})
    (diff, _) = (one["diff"] for one in versions(session, case))

    assert {'-  "amount": 10,', '+  "amount": 10000,', "+# money"} <= set(diff)
    assert not any(to in line for line in diff if line[0] in "+-")
    budget = make_draft(session, type_name="budget", options=options)
    edit(session, budget, options=("lime", "oak"))
    (diff, _) = (one["diff"] for one in versions(session, budget))
    assert {"-- maple", "+- oak"} <= set(diff)


def test_a_text_is_changed_so_often_and_no_more(session):
    case = make_draft(session)
    for number in range(texts.VERSIONS_MAX - 1):
        edit(session, case, title=f"Plant {number} trees")

    with pytest.raises(texts.TooManyVersions):
        edit(session, case, title="Plant one tree more")
    assert find(session, case.row.id).text.version == texts.VERSIONS_MAX


def test_versions_come_in_pages(session):
    case = make_draft(session)
    for number in range(4):
        edit(session, case, title=f"Plant {number} trees")
    of = case.row.id
    first = texts.versions(session, of, start=None, limit=3)
    rest = texts.versions(session, of, start=first.next, limit=3)

    pages = [[row.ProposalText.version for row in one.items] for one in (first, rest)]
    assert pages == [[5, 4, 3], [2, 1]]
    assert rest.next is None


def test_a_text_changes_until_it_is_frozen_and_never_after(session):
    case = make_open(session)
    frozen = case.timeline.frozen
    just_before = frozen - timedelta(microseconds=1)

    edit(session, case, title="Lime trees and benches", now=just_before)
    for now in (frozen, frozen + 30 * 24 * HOUR):
        with pytest.raises(WrongState):
            edit(session, case, title="Something else", now=now)
    assert find(session, case.row.id).text.version == 2


def test_only_the_author_writes_opens_and_adopts(session):
    case, another = make_draft(session), make_user(session).id
    amendment = make_open(session, amends=case.row.id)

    with pytest.raises(NotYours):
        edit(session, case, editor=another, title="Mine now")
    with pytest.raises(NotYours):
        proposals.open_(session, case.row.id, actor=another, now=NOW)
    with pytest.raises(NotYours):
        adopt(session, case, amendment, editor=another)


def adopt(session, case, amendment, *, editor=None, version=1):
    return proposals.adopt(
        session,
        case.row.id,
        amendment_id=amendment.row.id,
        version=version,
        editor=editor or case.row.author,
        now=NOW,
    )


def test_an_amendment_is_taken_over_as_it_was_read(session):
    """Its author may put something else into it in the last moment."""
    case = make_draft(session)
    amendment = make_open(session, amends=case.row.id)
    edit(session, amendment, description="Twenty trees, and all of them mine.")

    with pytest.raises(AmendmentChanged) as refused:
        adopt(session, case, amendment)
    assert refused.value.fields == {"version": 2}
    assert find(session, case.row.id).text.version == 1
    adopted = adopt(session, case, amendment, version=2)
    assert adopted.text.description == "Twenty trees, and all of them mine."


def test_what_an_amendment_leaves_out_stays_as_it_was(session):
    """Its type may not even let it have options, or say what is to be spent."""
    case = make_draft(session, type_name="budget", options=TWO, tags=("trees",))
    words = "Twenty trees between the two bridges."
    amendment = make_open(session, amends=case.row.id, description=words)
    adopted = adopt(session, case, amendment)

    assert adopted.text.description == words
    assert tuple(adopted.text.options) == TWO
    assert adopted.text.tags == ["trees"]
    assert adopted.text.version == 2


def test_an_amendment_is_of_this_proposal_and_was_opened(session):
    case = make_draft(session)
    stranger = make_open(session)
    draft = make_draft(session, amends=case.row.id)
    withdrawn = make_open(session, amends=case.row.id)
    proposals.cancel(
        session, withdrawn.row.id, actor=withdrawn.row.author, reason="no", now=NOW
    )

    with pytest.raises(BadProposal):
        adopt(session, case, stranger)
    for amendment in (draft, find(session, withdrawn.row.id)):
        with pytest.raises(WrongState):
            adopt(session, case, amendment)


def test_what_is_frozen_is_amended_no_more(session):
    case = make_open(session)

    with pytest.raises(WrongState):
        make_draft(session, amends=case.row.id, now=case.timeline.frozen)


# Opening, withdrawing, concluding


def test_opening_takes_the_rules_of_the_moment_and_commits_to_a_seed(session):
    case = make_draft(session)
    rules = types.current(session, "simple_majority")
    longer = replace(rules.parameters, voting_days=30)
    changed = types.change(session, rules.name, longer, changed_by=uuid7(), now=NOW)
    opened = proposals.open_(
        session, case.row.id, actor=case.row.author, now=NOW + HOUR
    )

    assert opened.row.type_version == changed.version == rules.version + 1
    assert opened.timeline.closes - opened.timeline.voting == timedelta(days=30)
    assert len(opened.commitment) == 64
    assert opened.describe(NOW + HOUR)["commitment"] == opened.commitment


def test_a_proposal_is_opened_once(session):
    case = make_open(session)

    with pytest.raises(WrongState):
        proposals.open_(session, case.row.id, actor=case.row.author, now=NOW + HOUR)


@settings(max_examples=30)
@given(st.integers(0, 24 * 15))
def test_a_vote_is_cancelled_until_it_closes(engine, hours):
    with databases.rolled_back(engine) as session:
        case, now = make_open(session), NOW + hours * HOUR
        before = case.state(now)
        try:
            proposals.cancel(
                session, case.row.id, actor=case.row.author, reason="done", now=now
            )
        except WrongState:
            assert now >= case.timeline.closes
        after = find(session, case.row.id).state(now)

    assert after is (State.CANCELLED if now < case.timeline.closes else before)


def test_what_came_of_it_is_written_down_once_and_only_where_nothing_is_carried_out(
    session,
):
    passed = make_decided(session, type_name="simple_majority")
    failed = make_decided(session, type_name="simple_majority", passed=False)
    said = {"actor": passed.row.author, "statement": "Planted.", "now": NOW}

    concluded = proposals.conclude(session, passed.row.id, **said)
    assert concluded.state(NOW) is State.EXECUTED
    for case in (concluded, failed, make_open(session)):
        with pytest.raises(WrongState):
            proposals.conclude(session, case.row.id, **said)


# Similar ones


def test_what_was_proposed_in_such_words_before_is_found(session):
    first = make_draft(session, title="A bench beside the old windmill")
    make_draft(session, title="Something about bicycles", description="x" * 30)
    text = make_text(title="Benches at the windmill", description="An old windmill.")

    found = texts.similar(session, text)
    assert found[0] == {"id": str(first.row.id), "title": first.text.title}
    assert texts.similar(session, text, but=first.row.id) != found


def test_what_a_text_said_before_is_not_what_it_says(session):
    case = make_draft(session, title="Zeppelins over the harbour")
    edit(session, case, title="Nothing of that kind")
    text = make_text(title="Zeppelins", description="Zeppelins zeppelins zeppelins.")

    assert str(case.row.id) not in {one["id"] for one in texts.similar(session, text)}


@settings(max_examples=30)
@given(st.text(max_size=80))
def test_any_words_can_be_looked_for(engine, words):
    words = words.replace("\0", "").encode(errors="ignore").decode()
    with databases.rolled_back(engine) as session:
        make_draft(session, description=f"{WORDS} {words}")
        assert texts.similar(session, make_text(description=words))


@pytest.mark.parametrize(
    "words", ["it's", r"c:\temp\new", "a & b | !c <-> d:*", "''''", "http://a.b/c'd"]
)
def test_words_that_mean_something_to_the_search_are_words(session, words):
    case = make_draft(session, description=f"{WORDS} {words}")
    found = texts.similar(session, make_text(description=words))

    assert str(case.row.id) in {one["id"] for one in found}
