"""People with wallets, and what their wallets sign (RFC 9421), written from the RFC."""

import json
import time
from base64 import b64encode
from copy import copy
from hashlib import sha256
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from falcon import testing

from tests.api.calling import transfer
from tests.api.people import Person
from tests.factories import make_owner

TRANSFERS = "/ledger/transfers"
COVERED = ("@method", "@path", "@query", "content-digest")


class Holder(Person):
    """A person with wallets."""

    @property
    def wallets(self):
        return f"{self.path}/wallets"

    def at(self, app):
        """Return the same person, as a caller of another process."""
        other = copy(self)
        other._client = testing.TestClient(app)
        return other

    def add(self, signer=None, *, headers=None, **fields):
        """Add a wallet, with the signer's public key when there is one."""
        key = {} if signer is None else {"public_key": signer.public_key}
        body = {"network": "test", "address": uuid4().hex, **key, **fields}
        return self.post(self.wallets, body, headers=headers)

    def prove(self, signer):
        """Have a signer prove the key of its wallet."""
        path = f"{self.wallets}/{signer.wallet}"
        asked = self.post(f"{path}/challenge").json
        proof = {
            "challenge": asked["challenge"],
            "signature": signer.sign(asked["message"].encode()),
        }
        return self.post(f"{path}/proof", proof)

    def signer(self):
        """Add a wallet and prove it; return what signs with its key."""
        signer = Signer()
        signer.wallet = self.add(signer).json["id"]
        assert self.prove(signer).status_code == 200
        return signer

    def change(self, path, body, *, signer=None, **options):
        """PATCH what is at a path, as it is now."""
        raw = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json",
            "If-Match": self.get(path).headers["ETag"],
        }
        if signer is not None:
            headers |= signer.headers("PATCH", path, raw)
        return self.send(
            "PATCH", path, body=raw, headers={**headers, **options.pop("headers", {})}
        )

    def demand(self, *, required=True, signer=None):
        """Demand signatures, or lift that."""
        body = {"signatures_required": required}
        return self.change(f"{self.path}/signatures", body, signer=signer)


class Signer:
    """The holder of a private key, for the wallet it is said to be of."""

    def __init__(self, wallet=None):
        self.private_key = Ed25519PrivateKey.generate()
        self.public_key = b64encode(
            self.private_key.public_key().public_bytes_raw()
        ).decode()
        self.wallet = wallet

    def sign(self, message):
        return b64encode(self.private_key.sign(message)).decode()

    def headers(self, method, path, body, *, query="", key=None, **said):
        """Return the fields that sign a request."""
        digest = f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"
        values = {
            "@method": method,
            "@path": path,
            "@query": f"?{query}",
            "content-digest": digest,
            "idempotency-key": key,
        }
        covered = COVERED if key is None else (*COVERED, "idempotency-key")
        parameters = {
            "created": int(time.time()),
            "keyid": self.wallet,
            "tag": "commons",
            **said,
        }
        told = f"({' '.join(map(json.dumps, covered))})" + "".join(
            f";{name}={json.dumps(value)}" for name, value in parameters.items()
        )
        lines = [f'"{name}": {values[name]}' for name in covered]
        base = "\n".join([*lines, f'"@signature-params": {told}'])
        return {
            "Content-Digest": digest,
            "Signature-Input": f"sig1={told}",
            "Signature": f"sig1=:{self.sign(base.encode())}:",
            **({} if key is None else {"Idempotency-Key": key}),
        }


class Demanding(Holder):
    """A person who demands signatures, and one of their wallets, which signs."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.own = self.signer()
        assert self.demand().status_code == 200

    def spend(self, **fields):
        """Return a transfer of theirs."""
        return transfer(str(self.id), make_owner(), **fields)


def send(caller, body, *, path=TRANSFERS, signer=None, **options):
    """POST a body, signed if there is someone to sign it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = signer.headers("POST", path, raw, **options) if signer else {}
    return caller.post(path, raw, headers=signed)


def refusal(answer):
    return answer.status_code, answer.json["code"]


REQUIRED = (403, "signature_required")
INVALID = (403, "invalid_signature")
