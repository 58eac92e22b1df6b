"""Who carries whose vote, beside a model that walks every way step by step."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.governance.carrying import Forest, Represented

NOBODY = None


def person(number):
    return UUID(int=number)


@st.composite
def graphs(draw, most=12):
    """Draw who delegates to whom, and who votes: chains, circles, stars."""
    people = [person(n) for n in range(1, draw(st.integers(1, most)) + 1)]
    edges = {
        one: other
        for one in people
        if (other := draw(st.sampled_from([*people, NOBODY]))) not in {one, NOBODY}
    }
    voters = draw(st.lists(st.sampled_from(people), unique=True))
    return people, edges, voters


caps = st.none() | st.integers(1, 6)


def walk(edges, voters, one):
    """Return who votes for somebody, and after how many steps; nobody, perhaps."""
    seen = []
    while one not in voters:
        if one in seen or one not in edges:
            return None, 0
        seen.append(one)
        one = edges[one]
    return one, len(seen)


def model(people, edges, voters, cap):
    """Return whom each voter carries, by walking everybody's own way."""
    found = {voter: [] for voter in voters}
    for one in people:
        carrier, steps = walk(edges, voters, one)
        if carrier is not None and steps:
            found[carrier].append((steps, one))
    return {
        voter: tuple(one for _, one in sorted(behind))[: cap and cap - 1]
        for voter, behind in found.items()
        if behind and cap != 1
    }


def resolve(edges, voters, cap):
    """Return whom each voter carries, without those who carry nobody."""
    forest = Forest(edges, voters)
    carried = {voter: forest.behind(voter, cap) for voter in forest.voters}
    return {voter: people for voter, people in carried.items() if people}


@given(graphs(), caps)
def test_everybody_is_carried_by_the_first_on_their_way_who_votes(graph, cap):
    people, edges, voters = graph

    assert resolve(edges, voters, cap) == model(people, edges, voters, cap)


@given(graphs(), caps)
def test_a_vote_is_cast_once_at_most_and_a_cap_holds(graph, cap):
    _, edges, voters = graph
    found = resolve(edges, voters, cap)
    carried = Counter(one for behind in found.values() for one in behind)

    assert set(carried.values()) <= {1}
    assert carried.keys().isdisjoint(voters)
    assert all(cap is None or 1 + len(behind) <= cap for behind in found.values())


@given(graphs())
def test_a_circle_in_which_nobody_votes_is_not_cast(graph):
    """Nor are those who delegate into it."""
    people, edges, voters = graph
    lost = {one for one in people if walk(edges, voters, one)[0] is None}
    carried = {
        one for behind in resolve(edges, voters, None).values() for one in behind
    }

    assert carried == set(people) - lost - set(voters)


@given(graphs(), caps)
def test_ones_own_vote_overrides(graph, cap):
    """Whoever votes as well takes their vote, and those behind them, to themselves."""
    people, edges, voters = graph
    for one in people:
        found = resolve(edges, [*voters, one], cap)
        assert one not in {other for behind in found.values() for other in behind}


@given(graphs(), caps, st.randoms())
def test_counting_on_comes_to_what_counting_at_once_does(graph, cap, chance):
    people, edges, voters = graph
    later = [one for one in people if one not in voters]
    chance.shuffle(later)
    counted = Represented(edges, voters, cap)
    for number, one in enumerate([*later, *later]):
        now = [*voters, *later[:number]]
        together = sum(map(len, resolve(edges, now, cap).values())) + len(set(now))
        assert counted.people == together
        counted.add(one)


@given(graphs())
def test_a_way_ends_with_its_carrier(graph):
    people, edges, voters = graph
    forest = Forest(edges, voters)

    for one in people:
        if one not in voters:
            assert forest.carrier(one) == walk(edges, voters, one)[0]


def test_the_nearest_come_first_then_the_lower_id():
    """4 is further away than 5 and 6, though its id is lower."""
    edges = {person(n): person(m) for n, m in [(6, 1), (5, 1), (4, 5), (3, 6)]}

    found = resolve(edges, [person(1)], 4)

    assert found == {person(1): (person(5), person(6), person(3))}


def test_a_way_of_a_hundred_thousand_is_followed():
    edges = {person(n + 1): person(n) for n in range(1, 100_001)}

    (behind,) = resolve(edges, [person(1)], None).values()

    assert len(behind) == 100_000
