"""Sealing: what is cast in secret waits in its job so that nobody can read it there.

AES-SIV (RFC 5297) under a key of the deployment's secret and the proposal, bound to the
voter, with a number drawn at random: no two are alike, not even of the same ballot.
"""

import hmac
import json
import secrets
from base64 import b64decode, b64encode
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from domain.tally import canonical

# A ballot is filled up to a multiple of it: its length would tell yes from abstain.
_BLOCK: Final = 256
_DRAWN_BYTES: Final = 16


def seal(
    choice: Any, *, secret: str, proposal_id: UUID, voter: UUID, longest: int = 0
) -> str:
    """Return a choice so that only who has the secret can read it.

    It is as long as one of `longest` bytes, the most a ballot of this vote can have.
    """
    text = canonical(choice)
    filled = text.ljust(-(-max(len(text), longest) // _BLOCK) * _BLOCK)
    drawn = secrets.token_bytes(_DRAWN_BYTES)
    sealed = _cipher(secret, proposal_id).encrypt(filled, [voter.bytes, drawn])
    return b64encode(drawn + sealed).decode()


def unseal(payload: dict[str, Any], *, secret: str, voter: UUID) -> dict[str, Any]:
    """Return a job's payload with the choice; without it when it cannot be read."""
    proposal_id = UUID(payload["proposal_id"])
    opened = {"proposal_id": payload["proposal_id"]}
    try:
        told = b64decode(payload["sealed"], validate=True)
        drawn, sealed = told[:_DRAWN_BYTES], told[_DRAWN_BYTES:]
        text = _cipher(secret, proposal_id).decrypt(sealed, [voter.bytes, drawn])
    except (InvalidTag, KeyError, ValueError):
        return opened
    return {**opened, "choice": json.loads(text)}


@lru_cache(maxsize=256)
def _cipher(secret: str, proposal_id: UUID) -> AESSIV:
    purpose = b"ballot\0" + proposal_id.bytes
    return AESSIV(hmac.digest(secret.encode(), purpose, "sha512"))
