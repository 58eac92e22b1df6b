"""HTTP Message Signatures (RFC 9421), the one profile we take: decision 0013.

    Content-Digest: sha-256=:<SHA-256 of the body, in base64>:
    Signature-Input: sig=("@method" "@path" "@query" "content-digest")
        ;created=1763700000;keyid="<wallet id>";tag="commons"
    Signature: sig=:<Ed25519 signature, in base64>:

With an Idempotency-Key, "idempotency-key" comes last of what is covered.
"""

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Final, NamedTuple, NoReturn
from uuid import UUID

import falcon

from api.errors import Problem

_COVERED: Final = '"@method" "@path" "@query" "content-digest"'
_COVERED_WITH_KEY: Final = f'{_COVERED} "idempotency-key"'
_LABEL: Final = "[a-z*][a-z0-9_.*-]*"
# Structured fields (RFC 9651) as serializers write them, of which this is a small part.
_VALUE: Final = r'[0-9]{1,15}|"[ !#-\[\]-~]*"'
_INPUT: Final = re.compile(rf"({_LABEL})=(\(([^()]*)\)((?:;[a-z]+=(?:{_VALUE}))*))")
_PARAMETER: Final = re.compile(rf";([a-z]+)=({_VALUE})")
_SIGNATURE: Final = re.compile(rf"({_LABEL})=:([A-Za-z0-9+/]{{86}}==):")
_NEEDED: Final = {"created", "keyid", "tag"}
_KNOWN: Final = _NEEDED | {"alg"}


class Signed(NamedTuple):
    """What a request says of its signature; `base` is the text that was signed."""

    created: int
    wallet_id: UUID
    tag: str
    base: bytes
    signature: bytes


def demanded(application: str) -> str:
    """Return the field Accept-Signature that asks for such a signature (§5.1)."""
    return f'sig=({_COVERED});created;alg="ed25519";tag="{application}"'


def read(req: falcon.Request, body: bytes) -> Signed | None:
    """Return the request's signature, None without one; answer 403 for any other.

    What is covered is held against the request, the signature itself is not.
    """
    told, given = req.get_header("Signature-Input"), req.get_header("Signature")
    if told is None and given is None:
        return None
    stated = _INPUT.fullmatch(told or "")
    signature = _SIGNATURE.fullmatch(given or "")
    if stated is None or signature is None or stated[1] != signature[1]:
        invalid("Send one Signature-Input and one Signature, both with the same label.")
    key = req.get_header("Idempotency-Key")
    covered = _COVERED if key is None else _COVERED_WITH_KEY
    if stated[3] != covered:
        invalid(f"Cover ({covered}), in this order.")
    digest = f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"
    if req.get_header("Content-Digest") != digest:
        invalid("Content-Digest is not sha-256 of the body that arrived.")
    created, wallet_id, tag = _parameters(stated[4])
    lines = [
        f'"@method": {req.method}',
        f'"@path": {falcon.uri.encode(req.path)}',
        f'"@query": ?{req.query_string}',
        f'"content-digest": {digest}',
        *([] if key is None else [f'"idempotency-key": {key}']),
        f'"@signature-params": {stated[2]}',
    ]
    # WSGI hands over the bytes of a header as Latin-1.
    base = "\n".join(lines).encode("latin-1")
    return Signed(created, wallet_id, tag, base, b64decode(signature[2]))


def invalid(detail: str) -> NoReturn:
    """Answer 403 for a signature that proves nothing, and say why."""
    raise Problem(403, "invalid_signature", detail)


def _parameters(text: str) -> tuple[int, UUID, str]:
    """Return when it was signed, with which wallet's key, for which application."""
    found = _PARAMETER.findall(text)
    values = dict(found)
    if len(values) < len(found) or not _NEEDED <= values.keys() <= _KNOWN:
        invalid("The parameters are created, keyid, tag and, if you like, alg.")
    created, keyid, tag = values["created"], values["keyid"], values["tag"]
    if not created.isdigit() or '"' not in keyid or '"' not in tag:
        invalid("created is a whole number of seconds; keyid and tag are strings.")
    if values.get("alg", '"ed25519"') != '"ed25519"':
        invalid('alg is "ed25519".')
    try:
        return int(created), UUID(keyid.strip('"')), tag.strip('"')
    except ValueError:
        invalid("keyid is the id of a wallet.")
