"""Who carries whose vote: delegations followed until somebody votes.

A vote goes from delegate to delegate and stops at the first who casts a ballot of
their own. Where nobody does, at the end of the way or round a circle, it is not cast.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

Edges = Mapping[UUID, UUID]


class Forest:
    """Delegations seen from those who vote: a tree behind each of them.

    `edges` lead from each delegator to their delegate.
    """

    def __init__(self, edges: Edges, voters: Iterable[UUID]) -> None:
        self.voters = set(voters)
        self._edges = edges
        self._delegators: dict[UUID, list[UUID]] = defaultdict(list)
        for delegator, delegate in edges.items():
            self._delegators[delegate].append(delegator)

    def behind(self, voter: UUID, cap: int | None = None) -> tuple[UUID, ...]:
        """Return whom somebody carries who votes, or would, the nearest first.

        With a cap those are no more people than it, the voter among them. Everybody has
        one delegate, so that no way leads to the same person twice, and none out of a
        circle.
        """
        found: list[UUID] = []
        ring = [voter]
        seen = {voter}
        while ring and (cap is None or len(found) < cap - 1):
            ring = sorted(
                one
                for delegate in ring
                for one in self._delegators.get(delegate, ())
                if one not in self.voters and one not in seen
            )
            seen.update(ring)
            found += ring
        return tuple(found if cap is None else found[: cap - 1])

    def carrier(self, person: UUID) -> UUID | None:
        """Return who votes at the end of a person's way, if anybody does."""
        seen = {person}
        while (delegate := self._edges.get(person)) is not None:
            if delegate in self.voters:
                return delegate
            if delegate in seen:
                return None
            seen.add(delegate)
            person = delegate
        return None


class Represented:
    """How many people's votes are cast, counted on with each who votes."""

    def __init__(self, edges: Edges, voters: Collection[UUID], cap: int | None) -> None:
        self._forest = Forest(edges, voters)
        self._cap = cap
        # With those beyond the cap, whom another voter among them may free.
        self._sizes = {one: 1 + len(self._forest.behind(one)) for one in voters}
        self.people = sum(map(self._capped, self._sizes.values()))

    def add(self, voter: UUID) -> None:
        """Count on with one more who votes; who has voted before changes nothing."""
        forest = self._forest
        if voter in forest.voters:
            return
        carrier, size = forest.carrier(voter), 1 + len(forest.behind(voter))
        if carrier is not None:
            before = self._sizes[carrier]
            self._sizes[carrier] = before - size
            self.people += self._capped(before - size) - self._capped(before)
        forest.voters.add(voter)
        self._sizes[voter] = size
        self.people += self._capped(size)

    def _capped(self, size: int) -> int:
        return size if self._cap is None else min(size, self._cap)
