"""Lots that nobody can steer and anybody can draw again.

Before voting opens a secret seed is made and its SHA-256, the commitment, is published.
At the close the seed is published and mixed with the hash of the ballots, so that
neither who knows the seed nor who votes last can choose what is drawn:

    key    = SHA-256(seed, hash of the ballots)
    ticket = SHA-256(key, option's name in UTF-8)

Every option has one ticket in a count. When a lot decides, the lower ticket goes ahead;
in what order options are listed plays no part.
"""

from hashlib import sha256

from domain.tally.documents import Document


def commitment(seed: bytes) -> str:
    """Return what is published of a seed before voting opens."""
    return sha256(seed).hexdigest()


class Lots:
    """The tickets of one count."""

    def __init__(self, seed: bytes, ballots_digest: str) -> None:
        self._seed = seed
        self._key = sha256(seed + bytes.fromhex(ballots_digest)).digest()

    def ticket(self, option: str) -> str:
        """Return an option's ticket."""
        return sha256(self._key + option.encode()).hexdigest()

    def describe(self) -> Document:
        """Return what is needed to draw the same lots; without a seed, null."""
        return {
            "seed": self._seed.hex() or None,
            "commitment": commitment(self._seed) if self._seed else None,
            "key": self._key.hex(),
        }
