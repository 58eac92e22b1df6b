"""Sealing: what is cast in secret waits in its job so that nobody can read it there.

AES-SIV (RFC 5297) under a key of the deployment's secret and the proposal: the same
ballot of the same voter under the same nonce seals to the same text, so that sent again
it is known again; two voters' ballots never do, whatever is in them.
"""

import hmac
import json
from base64 import b64decode, b64encode
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

# A ballot is filled up to a multiple of it: its length would tell yes from abstain.
_BLOCK: Final = 256


def seal(
    choice: Any, *, secret: str, proposal_id: UUID, voter: UUID, nonce: str
) -> str:
    """Return a choice so that only who has the secret can read it."""
    text = json.dumps(choice, sort_keys=True, ensure_ascii=False).encode()
    filled = text.ljust(-(-len(text) // _BLOCK) * _BLOCK)
    sealed = _cipher(secret, proposal_id).encrypt(filled, _whose(voter, nonce))
    return b64encode(sealed).decode()


def unseal(payload: dict[str, Any], *, secret: str, voter: UUID) -> dict[str, Any]:
    """Return a job's payload with the choice; without it when it cannot be read."""
    proposal_id = UUID(payload["proposal_id"])
    opened = {"proposal_id": payload["proposal_id"]}
    try:
        sealed = b64decode(payload["sealed"], validate=True)
        whose = _whose(voter, payload["nonce"])
        text = _cipher(secret, proposal_id).decrypt(sealed, whose)
    except (InvalidTag, KeyError, ValueError):
        return opened
    return {**opened, "choice": json.loads(text)}


@lru_cache(maxsize=256)
def _cipher(secret: str, proposal_id: UUID) -> AESSIV:
    purpose = b"ballot\0" + proposal_id.bytes
    return AESSIV(hmac.digest(secret.encode(), purpose, "sha512"))


def _whose(voter: UUID, nonce: str) -> list[bytes]:
    return [voter.bytes, nonce.encode()]
