"""The same counts, done as people would with papers on a table: slow and plain.

Every paper is an object of its own, every figure a fraction; nothing is taken from the
product but the tickets of lots.
"""

from fractions import Fraction
from math import ceil, floor


class Paper:
    def __init__(self, ranking, value=Fraction(1)):
        self.ranking = ranking
        self.value = value

    def next_among(self, options):
        return next((option for option in self.ranking if option in options), None)


def papers_of(rankings):
    return [Paper(ranking) for ranking, votes in rankings.items() for _ in range(votes)]


def totals(papers, options):
    found = dict.fromkeys(options, Fraction(0))
    for paper in papers:
        if (option := paper.next_among(options)) is not None:
            found[option] += paper.value
    return found


def one_of(tied, history, ticket, *, lowest, latest_first):
    """Break a tie by the votes of stages that are over, then by the tickets."""
    order = list(reversed(history)) if latest_first else history
    pick = min if lowest else max
    for votes in order:
        best = pick(votes[option] for option in tied)
        tied = [option for option in tied if votes[option] == best]
    return (max if lowest else min)(tied, key=ticket)


def scottish(options, seats, rankings, ticket):  # noqa: C901  as the rules read
    """Return who is elected in order, and every stage's votes.

    Papers lie in a pile with each candidate; whoever is elected keeps the quota, as a
    number, when their papers go on.
    """
    quota = sum(rankings.values()) // (seats + 1) + 1
    piles = {option: [] for option in options}
    for paper in papers_of(rankings):
        piles[paper.ranking[0]].append(paper)
    votes = {option: Fraction(len(pile)) for option, pile in piles.items()}
    stages, elected, continuing, surpluses = [], [], set(options), []

    def move(source, to_value):
        for paper in piles[source]:
            paper.value = to_value(paper.value)
            target = paper.next_among(continuing)
            if target is not None:
                piles[target].append(paper)
                votes[target] += paper.value
        piles[source] = []

    def in_order(chosen):
        chosen, found = set(chosen), []
        while chosen:
            most = max(votes[option] for option in chosen)
            tied = [option for option in chosen if votes[option] == most]
            found.append(
                one_of(tied, stages[:-1], ticket, lowest=False, latest_first=True)
            )
            chosen.remove(found[-1])
        return found

    def end_stage():
        stages.append(dict(votes))
        for option in in_order(one for one in continuing if votes[one] >= quota):
            continuing.remove(option)
            elected.append(option)
            if votes[option] > quota:
                surpluses.append(option)

    end_stage()
    while len(elected) < seats and len(continuing) > seats - len(elected):
        if surpluses:
            source = in_order(surpluses)[0]
            surpluses.remove(source)
            share = (votes[source] - quota) / votes[source]
            move(source, lambda value, share=share: down(value * share, 5))
            votes[source] = Fraction(quota)
        else:
            fewest = min(votes[option] for option in continuing)
            tied = [option for option in continuing if votes[option] == fewest]
            last = one_of(tied, stages[:-1], ticket, lowest=True, latest_first=True)
            continuing.remove(last)
            move(last, lambda value: value)
            votes[last] = Fraction(0)
        end_stage()
    if len(elected) < seats:
        elected += in_order(continuing)
    return elected, stages


def instant_runoff(options, rankings, ticket):
    """Return who is elected, and every stage's votes."""
    papers, standing, stages = papers_of(rankings), set(options), []
    while True:
        votes = {**dict.fromkeys(options, 0), **totals(papers, standing)}
        for option in standing:
            if votes[option] * 2 > sum(votes.values()):
                return option, [*stages, votes]
        fewest = min(votes[option] for option in standing)
        tied = [option for option in standing if votes[option] == fewest]
        last = one_of(tied, stages, ticket, lowest=True, latest_first=False)
        stages.append(votes)
        standing.remove(last)


def meek(options, seats, rankings, ticket):  # noqa: C901  as the rule reads
    """Return who is elected in order, and every round's votes; PRF's own numbering."""
    keep = dict.fromkeys(options, Fraction(1))
    hopeful, elected, rounds = set(options), [], []

    def distribute():
        votes = dict.fromkeys(options, Fraction(0))
        for ranking, papers in rankings.items():  # equal papers do the same
            weight = Fraction(1)
            for option in ranking:
                part = up(weight * keep[option], 9)
                votes[option] += part * papers
                weight -= part
        return votes

    def elect(chosen, votes):
        chosen = set(chosen)
        while chosen:
            most = max(votes[option] for option in chosen)
            tied = [option for option in chosen if votes[option] == most]
            first = one_of(tied, rounds[:-1], ticket, lowest=False, latest_first=False)
            chosen.remove(first)
            hopeful.remove(first)
            elected.append(first)

    votes = distribute()
    while len(elected) < seats and len(elected) + len(hopeful) > seats:  # B.1
        before = None
        while True:  # B.2
            votes = distribute()
            quota = down(sum(votes.values()) / (seats + 1), 9) + Fraction(1, 10**9)
            winners = [option for option in hopeful if votes[option] >= quota]
            surplus = sum(votes[option] - quota for option in [*elected, *winners])
            surplus = max(surplus, 0)
            done = surplus < Fraction(1, 10**6)
            if winners or done or (before is not None and surplus >= before):
                break
            before = surplus
            for option in elected:
                wanted = up(keep[option] * quota, 9)
                keep[option] = up(wanted / votes[option], 9)
        rounds.append(votes)
        if winners:
            elect(winners, votes)
            continue
        fewest = min(votes[option] for option in hopeful)  # B.3
        tied = [option for option in hopeful if votes[option] <= fewest + surplus]
        last = one_of(tied, rounds[:-1], ticket, lowest=True, latest_first=False)
        hopeful.remove(last)
        keep[last] = Fraction(0)
    if not rounds:
        rounds.append(votes)
    if len(elected) < seats:  # C
        elect(hopeful, rounds[-1])
    return elected, rounds


def down(number, places):
    return Fraction(floor(number * 10**places), 10**places)


def up(number, places):
    return Fraction(ceil(number * 10**places), 10**places)
