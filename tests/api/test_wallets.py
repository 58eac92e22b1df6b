"""Wallets of people: their own alone, one of them primary, keys proved."""

from base64 import b64encode
from uuid import uuid4

import pytest

from tests.api.calling import pointers
from tests.api.holders import Signer

# Of the eight points of small order, as RFC 8032 encodes them.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


def primary(person):
    wallets = person.get(person.wallets).json["wallets"]
    return [wallet["id"] for wallet in wallets if wallet["is_primary"]]


def test_a_wallet_added_is_shown_as_it_is(person):
    signer = Signer()
    added = person.add(signer, network="test", address="0xabc", label="mine")
    path = added.headers["Location"]

    assert added.status_code == 201
    assert path == f"{person.wallets}/{added.json['id']}"
    assert person.get(path).json == added.json
    assert added.json["public_key"] == signer.public_key
    assert (added.json["is_primary"], added.json["proved_at"]) == (True, None)
    assert person.get(person.wallets).json["wallets"] == [added.json]


def test_another_wallet_becomes_primary_when_told_so(person):
    first, second = (person.add().json["id"] for _ in range(2))
    assert primary(person) == [first]

    changed = person.change(f"{person.wallets}/{second}", {"is_primary": True})

    assert (changed.status_code, changed.json["is_primary"]) == (200, True)
    assert primary(person) == [second]
    third = person.add(is_primary=True).json["id"]
    assert primary(person) == [third]


def test_a_primary_wallet_removed_leaves_another_primary(person):
    first, second, third = (person.add().json["id"] for _ in range(3))

    answers = [
        person.delete(f"{person.wallets}/{wallet}") for wallet in (first, third, second)
    ]

    assert [answer.status_code for answer in answers] == [204] * 3
    assert primary(person) == []
    assert person.get(f"{person.wallets}/{first}").status_code == 404


def test_a_wallet_is_named_anew(person):
    path = person.add(label="old").headers["Location"]

    assert person.change(path, {"label": "new"}).json["label"] == "new"


def test_an_edit_says_what_it_edits(person):
    path = person.add().headers["Location"]
    edits = [{}, {"If-Match": '"other"'}, {"If-Match": "*"}]

    answers = [
        person.send(
            "PATCH",
            path,
            body=b'{"label": "new"}',
            headers={"Content-Type": "application/json", **edit},
        )
        for edit in edits
    ]

    assert [answer.status_code for answer in answers] == [428, 412, 200]


def test_the_edit_of_what_was_edited_meanwhile_is_refused(person):
    path = person.add().headers["Location"]
    tag = person.get(path).headers["ETag"]
    person.change(path, {"label": "theirs"})

    answer = person.change(path, {"label": "mine"}, headers={"If-Match": tag})

    assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
    assert person.get(path).json["label"] == "theirs"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"private_key": "x"}, "/private_key"),
        ({"secret": "x"}, "/secret"),
        ({"seed": "x"}, "/seed"),
        ({"mnemonic": "a b c"}, "/mnemonic"),
        ({"encrypted_private_key": "x"}, "/encrypted_private_key"),
        ({"network": "Test Net"}, "/network"),
        ({"address": ""}, "/address"),
        ({"address": "a b"}, "/address"),
        ({"address": "a\n"}, "/address"),
        ({"address": "x" * 129}, "/address"),
        ({"label": "x" * 101}, "/label"),
        ({"is_primary": 1}, "/is_primary"),
        ({"public_key": "not base64!"}, "/public_key"),
        ({"public_key": 7}, "/public_key"),
        ({"public_key": b64encode(bytes(31)).decode()}, "/public_key"),
        ({"public_key": b64encode(b"\xff" * 32).decode()}, "/public_key"),
    ],
    ids=repr,
)
def test_a_wallet_that_cannot_be_is_422_and_says_why(person, fields, pointer):
    answer = person.add(**fields)

    assert answer.status_code == 422
    assert pointer in pointers(answer)
    assert person.get(person.wallets).json["wallets"] == []


@pytest.mark.parametrize("key", SMALL_ORDER)
def test_a_key_that_anybody_could_sign_with_is_refused(person, key):
    answer = person.add(public_key=b64encode(bytes.fromhex(key)).decode())

    assert (answer.status_code, pointers(answer)) == (422, ["/public_key"])


def test_a_primary_wallet_is_not_made_so_by_denial(person):
    path = person.add().headers["Location"]

    answer = person.change(path, {"is_primary": False})

    assert (answer.status_code, pointers(answer)) == (422, ["/is_primary"])


def test_the_same_address_twice_is_a_conflict(person):
    answers = [person.add(address="same") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json["code"] == "wallet_exists"


# Whose they are


def every_way(caller, wallets, wallet):
    """Ask for everything there is below somebody's wallets."""
    path = f"{wallets}/{wallet}"
    change = {"Content-Type": "application/json", "If-Match": "*"}
    proof = {"challenge": "c", "signature": b64encode(bytes(64)).decode()}
    yield caller.get(path)
    yield caller.send("PATCH", path, body=b'{"label": "x"}', headers=change)
    yield caller.delete(path)
    yield caller.post(f"{path}/challenge")
    yield caller.post(f"{path}/proof", proof)


@pytest.mark.parametrize("roles", [(), ("operator", "auditor", "council"), ("admin",)])
def test_nobody_reaches_the_wallets_of_another(person, new_person, roles):
    other, wallet = new_person(*roles), person.add().json["id"]

    answers = [
        *every_way(other, person.wallets, wallet),
        other.get(person.wallets),
        other.post(person.wallets, {"network": "test", "address": "x"}),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json["code"] for answer in answers} == {"not_your_account"}
    assert person.get(person.wallets).json["wallets"][0]["label"] == ""


def test_the_wallet_of_another_is_not_among_ones_own(person, new_person):
    other, wallet = new_person(), person.add().json["id"]

    answers = list(every_way(other, other.wallets, wallet))

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json["code"] for answer in answers} == {"no_such_wallet"}
    assert len(person.get(person.wallets).json["wallets"]) == 1


def test_no_key_of_an_application_reaches_wallets(person, caller):
    wallet = person.add().json["id"]

    answers = [
        *every_way(caller, person.wallets, wallet),
        caller.get(person.wallets),
        caller.get(f"{person.path}/signatures"),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json["scope"] for answer in answers} == {"account"}


# Proofs


@pytest.fixture
def signer(person):
    """The holder of the key of a wallet that is not proved yet."""
    signer = Signer()
    signer.wallet = person.add(signer).json["id"]
    return signer


def challenge(person, signer):
    return person.post(f"{person.wallets}/{signer.wallet}/challenge")


def proof(person, signer, text, signature):
    return person.post(
        f"{person.wallets}/{signer.wallet}/proof",
        {"challenge": text, "signature": signature},
    )


def message(person, signer, text):
    """Return what is signed, as docs/api.md says it."""
    lines = ["peoples-coin wallet proof v1", str(person.id), signer.wallet, text]
    return "\n".join(lines).encode()


def test_a_key_is_proved_by_signing_the_challenge(person, signer):
    asked = challenge(person, signer).json
    signed = message(person, signer, asked["challenge"])

    answer = proof(person, signer, asked["challenge"], signer.sign(signed))

    assert asked["message"].encode() == signed
    assert answer.status_code == 200
    assert answer.json["proved_at"]


def test_a_challenge_is_no_one_elses_business_to_keep(person, signer):
    assert challenge(person, signer).headers["Cache-Control"] == "no-store"


def test_a_proof_by_another_key_is_refused(person, signer):
    text = challenge(person, signer).json["challenge"]

    answer = proof(person, signer, text, Signer().sign(message(person, signer, text)))

    assert (answer.status_code, answer.json["code"]) == (422, "wrong_proof")
    path = f"{person.wallets}/{signer.wallet}"
    assert person.get(path).json["proved_at"] is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text,
        lambda text: f"\n{text}",
        lambda text: f"{text}\n",
        lambda text: text.replace("proof", "prooF"),
        lambda text: text.replace("v1", "v2"),
    ],
)
def test_a_proof_signs_the_message_to_the_byte(person, signer, spoil):
    text = challenge(person, signer).json["challenge"]
    whole = message(person, signer, text).decode()
    signed = text if spoil(whole) == whole else spoil(whole)

    answer = proof(person, signer, text, signer.sign(signed.encode()))

    assert answer.json["code"] == "wrong_proof"


def test_a_proof_brought_again_is_refused(person, signer):
    text = challenge(person, signer).json["challenge"]
    signature = signer.sign(message(person, signer, text))

    answers = [proof(person, signer, text, signature) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 409]
    assert answers[1].json["code"] == "no_challenge"


def test_a_challenge_of_another_wallet_is_refused(person, signer):
    other = Signer()
    other.wallet = person.add(other).json["id"]
    text = challenge(person, other).json["challenge"]
    challenge(person, signer)

    answer = proof(person, signer, text, signer.sign(message(person, signer, text)))

    assert (answer.status_code, answer.json["code"]) == (409, "no_challenge")


def test_an_invented_challenge_is_refused(person, signer):
    text = str(uuid4())

    answer = proof(person, signer, text, signer.sign(message(person, signer, text)))

    assert (answer.status_code, answer.json["code"]) == (409, "no_challenge")


@pytest.mark.parametrize("signature", ["", "x", b64encode(bytes(63)).decode(), None])
def test_what_is_no_signature_is_422(person, signer, signature):
    text = challenge(person, signer).json["challenge"]

    answer = proof(person, signer, text, signature)

    assert (answer.status_code, pointers(answer)) == (422, ["/signature"])


def test_a_wallet_without_a_key_has_no_challenge(person):
    path = person.add().headers["Location"]

    answer = person.post(f"{path}/challenge")

    assert (answer.status_code, answer.json["code"]) == (409, "wallet_without_key")


def test_what_is_done_with_wallets_is_recorded(person, new_person):
    signer = person.signer()
    person.change(f"{person.wallets}/{signer.wallet}", {"label": "x"})
    person.delete(f"{person.wallets}/{signer.wallet}")

    events = new_person("auditor").get(
        "/api/audit/events", params={"subject": f"wallet:{signer.wallet}"}
    )

    assert [event["action"] for event in events.json["events"]] == [
        "wallet.removed",
        "wallet.changed",
        "wallet.proved",
        "wallet.added",
    ]
    assert {event["actor"] for event in events.json["events"]} == {str(person.id)}
