"""Lanes: the ballots of one vote are applied one by one, in the order accepted."""

import zlib
from uuid import UUID


def lane_of(proposal_id: UUID, lanes: int) -> int:
    """Return the lane in which a proposal's ballots are applied."""
    return zlib.crc32(proposal_id.bytes) % lanes
