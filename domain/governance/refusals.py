"""Why a ballot is not taken."""

from domain.errors import Conflict, Forbidden, Invalid, Refused


class NotAnElector(Forbidden):
    """Who may vote was fixed when voting opened, and you are not among them."""

    code = "not_an_elector"


class VotingNotOpen(Conflict):
    """Voting on this proposal had not opened."""

    code = "voting_not_open"


class VotingClosed(Conflict):
    """Voting on this proposal was over."""

    code = "voting_closed"


class AlreadyVoted(Conflict):
    """You have voted, and in this vote a ballot stays as it was cast."""

    code = "already_voted"


class BadBallot(Invalid):
    """This is no ballot of this vote."""

    code = "bad_ballot"


class ConflictOfInterest(Refused):
    """You said to have an interest of your own in this: you may but abstain."""

    code = "conflict_of_interest"


class SeasonBudgetSpent(Refused):
    """These votes cost more than is left of your budget for the season."""

    code = "season_budget_spent"
