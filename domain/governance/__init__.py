"""Governance: proposals, who may vote on them, ballots, and what follows."""
