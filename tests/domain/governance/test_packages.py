"""Packages: counted again without us, and found out when one thing is changed."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.governance import lists, packages
from domain.governance.counting import NotCountable
from domain.governance.counts import NotCountedYet, ResultWithheld
from domain.governance.packages import BadPackage
from domain.tally import blt, canonical
from tests.voting import Vote, make_vote

OPTIONS = ("ada", "ben", "cat")
RANKINGS = [["ada", "ben"], ["ben", "ada"], ["cat"], ["cat", "ben"], [], ["ada"]]
SECRET = {"secret": True, "replaceable": False}
KINDS = {
    "yes-no": ({"quorum": "1/10"}, ["yes", "no", "yes", "abstain"]),
    "consent": ({}, ["consent", {"objection": "“Non!”"}]),
    "single-choice": ({"options": OPTIONS}, ["ada", "ben", None]),
    "approval": ({"options": OPTIONS}, [["ada", "ben"], []]),
    "score": ({"options": OPTIONS}, [{"ada": 5}, {"ben": 2, "cat": 0}]),
    "quadratic": ({"options": OPTIONS}, [{"ada": 3}, {"ben": 10}]),
    "irv": ({"options": OPTIONS}, RANKINGS),
    "scottish-stv": ({"options": OPTIONS, "seats": 2, **SECRET}, RANKINGS),
    "meek-stv": ({"options": OPTIONS, "seats": 2}, RANKINGS),
}


def counted(session, method, **more):
    said, ballots = KINDS[method]
    vote = make_vote(session, *ballots, method=method, **{**said, **more})
    vote.count()
    return vote


def package_of(vote):
    return json.loads(canonical(packages.build(vote.session, vote.case())))


def list_of(vote, count=2):
    first, after, pages = lists.head(vote.session, vote.case()), None, []
    while True:
        lines, after = lists.page(vote.session, vote.case(), after=after, count=count)
        if after is None:
            return b"".join(lists.written(first, pages))
        pages.append(lines)


def faults(package):
    return [check for check in packages.verify(package) if not check.holds]


def list_faults(package, raw):
    return [check for check in lists.verify(package, raw) if not check.holds]


@pytest.mark.parametrize("method", KINDS)
def test_a_package_is_counted_again_to_the_byte(session, method):
    vote = counted(session, method)
    package = package_of(vote)

    assert faults(package) == []
    assert len(list(packages.verify(package))) == 4
    assert list_faults(package, list_of(vote)) == []


def test_who_delegated_is_in_it_too(session):
    vote = make_vote(
        session, "yes", "no", delegation=True, delegates={2: 0, 3: 2}, quorum="4/10"
    )
    vote.count()
    package = package_of(vote)

    assert package["ballots"] == [["no", 1, 1], ["yes", 3, 3]]
    assert faults(package) == list_faults(package, list_of(vote)) == []


def test_an_election_in_which_nobody_stood_is_counted_again(session):
    vote = Vote(session, method="irv").open().freeze()
    vote.count()

    assert faults(package_of(vote)) == []


def test_what_was_frozen_by_the_first_to_need_it_is_counted_again(session):
    vote = Vote(session).open()
    vote.count()

    assert faults(package_of(vote)) == []


def places(node, path=()):
    """Yield where everything of a document is."""
    yield path
    if isinstance(node, dict | list):
        steps = node.items() if isinstance(node, dict) else enumerate(node)
        for step, below in steps:
            yield from places(below, (*path, step))


def changed(value):
    """Return another value than this one."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    return None


def with_change(document, path, deed):
    made = copy.deepcopy(document)
    *above, last = path
    holder = made
    for step in above:
        holder = holder[step]
    if deed == "remove":
        del holder[last]
    else:
        holder[last] = changed(holder[last])
    return made


def is_found_out(package):
    try:
        return bool(faults(package))
    except BadPackage:
        return True


@pytest.mark.parametrize("method", ["yes-no", "consent", "quadratic", "scottish-stv"])
@pytest.mark.parametrize("deed", ["change", "remove"])
def test_whatever_one_thing_is_changed_is_found_out(session, method, deed):
    package = package_of(counted(session, method))
    everything = [path for path in places(package) if path]
    unseen = [
        path
        for path in everything
        if not is_found_out(with_change(package, path, deed))
    ]

    assert len(everything) > 80
    assert unseen == []


def test_a_member_that_is_none_is_found_out(session):
    package = package_of(counted(session, "yes-no"))

    with pytest.raises(BadPackage, match="extra"):
        list(packages.verify({**package, "extra": 1}))


@pytest.mark.parametrize("wrong", [None, [], "x", {}, {"format": "coin package 2"}])
def test_what_is_no_package_is_said_to_be_none(wrong):
    with pytest.raises(BadPackage):
        list(packages.verify(wrong))


def test_ballots_moved_from_one_side_to_the_other_are_found_out(session):
    package = package_of(counted(session, "yes-no"))
    package["ballots"] = [["abstain", 1, 1], ["no", 2, 2], ["yes", 1, 1]]
    told = [check.differs for check in packages.verify(package) if not check.holds]

    assert len(told) == 2
    assert "result.ballots.sha256 is said to be" in told[1]


@pytest.mark.parametrize(
    "group", [["yes", -1, 1], ["yes", 0, 0], ["yes", 1.0, 1], ["yes"], 5, [[{}], 1, 1]]
)
def test_groups_that_cannot_be_are_found_out(session, group):
    package = package_of(counted(session, "yes-no"))
    package["ballots"].append(group)

    assert [one.what for one in faults(package)] == ["the ballots can be counted"]


def test_a_seed_chosen_afterwards_is_found_out(session):
    """Whoever knows the ballots could else pick the lots."""
    package = package_of(counted(session, "irv"))
    package["seed"] = "5eed" * 16
    told = [check.what for check in faults(package)]

    assert "the seed of lots is the one committed to before voting opened" in told


def test_a_list_that_was_changed_is_found_out(session):
    vote = counted(session, "yes-no")
    package, raw = package_of(vote), list_of(vote)
    lines = raw.splitlines(keepends=True)
    swapped = raw.replace(b'"no"', b'"yes"')
    short = b"".join([*lines[:2], *lines[3:]])
    foreign = list_of(counted(session, "yes-no"))

    assert [bool(list_faults(package, one)) for one in (raw, swapped, short)] == [
        False,
        True,
        True,
    ]
    assert [one.what for one in list_faults(package, foreign)] == [
        "the list is of this package"
    ]


def test_a_list_of_other_ballots_is_found_out_though_its_own_hash_is_right(session):
    vote = counted(session, "yes-no")
    package = package_of(vote)
    first, *lines, _ = [json.loads(line) for line in list_of(vote).splitlines()]
    lines[0][1] = "abstain" if lines[0][1] != "abstain" else "no"
    raw = b"".join(lists.written(first, [lines]))

    assert [one.what for one in list_faults(package, raw)] == [
        "the ballots of 4 voters add up to those that were counted"
    ]


def test_receipts_are_as_many_as_ballots_and_lead_to_none(session):
    vote = counted(session, "scottish-stv")
    package = package_of(vote)
    first, *receipts, _ = [json.loads(line) for line in list_of(vote).splitlines()]
    fewer = b"".join(lists.written(first, [receipts[1:]]))

    assert first["of"] == "receipts"
    assert receipts == sorted(receipts)
    assert len(receipts) == len(RANKINGS)
    assert list_faults(package, list_of(vote)) == []
    assert [one.differs for one in list_faults(package, fewer)] == ["There are 5."]
    assert not any(str(voter) in json.dumps(package) for voter in vote.voters)


@pytest.mark.parametrize("raw", [b"", b"x", b"{}\n{}\n", b"\n\n", b"[1]\n{}\n"])
def test_what_is_no_list_is_said_to_be_none(session, raw):
    package = package_of(counted(session, "yes-no"))

    with pytest.raises(BadPackage):
        list(lists.verify(package, raw))


def test_ballots_that_rank_are_written_as_blt(session):
    vote = counted(session, "meek-stv")
    file = blt.read(packages.as_blt(session, vote.case()))

    assert (file.title, file.seats) == ("A garden for all", 2)
    assert file.options == OPTIONS
    assert file.rankings[("cat", "ben")] == 1
    assert sum(file.rankings.values()) == len(RANKINGS) - 1


@pytest.mark.parametrize("method", ["yes-no", "score", "single-choice"])
def test_other_ballots_are_not_written_as_blt(session, method):
    vote = counted(session, method)

    with pytest.raises(NotCountable):
        packages.as_blt(session, vote.case())


def test_there_is_no_package_before_the_count(session):
    vote = make_vote(session, "yes")

    for make in (packages.build, packages.as_blt, lists.head):
        with pytest.raises(NotCountedYet):
            make(session, vote.case())


def test_there_is_no_package_of_very_few_secret_ballots(session):
    vote = make_vote(session, *["yes"] * 4, **SECRET)
    vote.count()

    for make in (packages.build, packages.as_blt, lists.head):
        with pytest.raises(ResultWithheld):
            make(session, vote.case())


rankings = st.lists(
    st.permutations(OPTIONS).flatmap(
        lambda order: st.integers(0, 3).map(lambda many: list(order[:many]))
    ),
    max_size=8,
)


@settings(max_examples=15)
@given(rankings, st.data())
def test_any_vote_is_counted_again_and_any_change_found_out(session, cast, data):
    said = {"method": "meek-stv", "options": OPTIONS, "seats": 2}
    vote = make_vote(session, *cast, **said)
    vote.count()
    package = package_of(vote)
    everything = [path for path in places(package) if path]
    path = data.draw(st.sampled_from(everything))
    deed = data.draw(st.sampled_from(["change", "remove"]))

    assert faults(package) == []
    assert is_found_out(with_change(package, path, deed))
