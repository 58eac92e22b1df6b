"""Bounties that examples speak of: a person's own, or another's to claim."""

from datetime import UTC, datetime

from tests.bounties import claim, make_bounty


def makers(world):
    """Return what makes the things of bounties, each as its route needs it."""
    made = {}

    def bounty(described):
        claimed = described.path.endswith("/claims") and described.method == "POST"
        creator = None if claimed else world.person.user.id
        with world.sessions.begin() as session:
            made["bounty"] = make_bounty(session, creator, now=datetime.now(UTC))
        return made["bounty"]

    def claimant(_described):
        with world.sessions.begin() as session:
            return claim(session, made["bounty"], now=datetime.now(UTC))

    return {"bounty_id": bounty, "claimant_id": claimant}
