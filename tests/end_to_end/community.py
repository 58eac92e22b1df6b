"""People of a community and what they do together, over HTTP on a running stack."""

import json
import os
import subprocess
import sys
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
import sqlalchemy as sa

from domain.db import create_engine
from domain.settings import Settings
from tests.api.holders import Signer
from tests.databases import ROOT
from tests.factories import make_username
from tests.governance_time import age
from tests.waiting import eventually

PASSWORD = "tulips grow by the canal"
PROPOSALS = "/api/governance/proposals"
COUNCILS = "/api/governance/councils"
ADVANCED_SECONDS = 60
# To start Python for each of many takes longer than all that they do.
_EACH = """
import json, sys
from cli import main
for command in json.loads(sys.argv[1]):
    main(command, standalone_mode=False)
"""


class Person:
    """Somebody with an account, and how they ask the API."""

    def __init__(self, stack):
        self._api = stack.endpoints["api"]
        self.name = make_username()
        account = {"username": self.name, "password": PASSWORD}
        self.id = self.ask("/auth/register", account)["id"]
        form = f"username={self.name}&password={quote(PASSWORD)}"
        self._token = self.ask("/auth/token", form)["access_token"]

    def ask(self, path, body=None, *, signer=None, **headers):
        """Return what the API answers; a body that is text is a form."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            form = isinstance(body, str)
            data = (body if form else json.dumps(body)).encode()
            media = "x-www-form-urlencoded" if form else "json"
            headers["Content-Type"] = f"application/{media}"
        if signer is not None:
            headers |= signer.headers("POST", path, data)
        return json.loads(self.read(path, data, **headers))

    def read(self, path, data=None, **headers):
        """Return the bytes that the API answers."""
        if hasattr(self, "_token"):
            headers["Authorization"] = f"Bearer {self._token}"
        with urlopen(Request(self._api + path, data, headers), timeout=30) as answer:  # noqa: S310
            return answer.read()

    def refusal(self, path, body):
        """Return the code of the problem that the API answers."""
        with pytest.raises(HTTPError) as refused:
            self.ask(path, body)
        return json.load(refused.value)["code"]

    def vote(self, proposal, choice):
        """Cast a ballot and wait until it is applied."""
        ballot = {"choice": choice, "nonce": proposal}
        return self.ask(f"{PROPOSALS}/{proposal}/ballots", ballot, Prefer="wait=20")

    def signer(self):
        """Add a wallet and prove it; return what signs with its key."""
        signer = Signer()
        wallets = f"/api/users/{self.id}/wallets"
        body = {
            "network": "test",
            "address": self.name,
            "public_key": signer.public_key,
        }
        signer.wallet = self.ask(wallets, body)["id"]
        path = f"{wallets}/{signer.wallet}"
        asked = self.ask(f"{path}/challenge", {})
        signed = signer.sign(asked["message"].encode())
        proof = {"challenge": asked["challenge"], "signature": signed}
        self.ask(f"{path}/proof", proof)
        return signer


def run(stack, statement, **bound):
    """Change what only who owns the tables may."""
    database = stack.endpoints["database"]
    engine = create_engine(Settings(database_url=database), role=False)
    with engine.begin() as connection:
        connection.execute(sa.text(statement), bound)
    engine.dispose()


def grant(stack, person, role, *options):
    """Give a person a role, as who has the machine can."""
    command = [sys.executable, "-m", "cli", "people", "grant", person.name, role]
    command += options
    environment = {**os.environ, "DATABASE_URL": stack.endpoints["database"]}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)


def propose(author, *, signer=None, **fields):
    """Draft a proposal and open it; return its id."""
    body = {
        "type": "simple_majority",
        "title": "Plant lime trees along the canal",
        "description": "Twelve trees between the two bridges, in autumn.",
        **fields,
    }
    made = author.ask(PROPOSALS, body, signer=signer)
    return author.ask(f"{PROPOSALS}/{made['id']}/open", {}, signer=signer)["id"]


def hold(stack, proposal, ballots, *, opens=97, closes=8):
    """Hold a vote: it opens after so many hours and is over so many days later.

    `ballots` are pairs of a person and what they choose; return what each was told.
    """
    age(stack.endpoints["database"], proposal, hours=opens)
    told = [person.vote(proposal, choice) for person, choice in ballots]
    age(stack.endpoints["database"], proposal, days=closes)
    return told


def elect(stack, council, operator, nominees, ballots):
    """Vote in secret on all of a council; return the election's id and the receipts.

    `nominees` are pairs of a person and what they belong to.
    """
    election = operator.ask(f"{council}/elections", {"all": True})["id"]
    for person, affiliation in nominees:
        said = {"statement": "I would like to.", "affiliation": affiliation}
        person.ask(f"/api/governance/elections/{election}/nominations", said)
    told = hold(stack, election, ballots, opens=193, closes=15)
    return election, {one["receipt"] for one in told}


def make_council(operator, **fields):
    """Return the path of a new council."""
    body = {
        "name": f"Harbour of {make_username()}",
        "description": "Looks after the harbour.",
        "term_days": 365,
        **fields,
    }
    return f"{COUNCILS}/{operator.ask(COUNCILS, body)['id']}"


def shown(person, proposal, what=""):
    """Return what a person is shown of a proposal."""
    return person.ask(f"{PROPOSALS}/{proposal}{what}")


def until(stack, proposal, state):
    """Wait for a proposal to come into a state; people may not ask as often as this."""
    path = f"{PROPOSALS}/{proposal}"
    with stack.client() as client:
        eventually(lambda: client.get(path)["state"] == state, within=ADVANCED_SECONDS)


def recounted(person, folder, *proposals):
    """Have the packages of proposals, and who voted or the receipts, counted again."""
    commands = []
    for proposal in proposals:
        package, voters = folder / f"{proposal}.json", folder / f"{proposal}.ndjson"
        path = f"{PROPOSALS}/{proposal}/package"
        package.write_bytes(person.read(path))
        voters.write_bytes(person.read(f"{path}?format=voters"))
        commands.append(["tally", "verify", str(package), "--voters", str(voters)])
    return offline("-c", _EACH, json.dumps(commands))


def verify(package):
    """Count a package again."""
    return offline("-m", "cli", "tally", "verify", package)


def offline(*options):
    """Run Python where there is neither database nor network to ask."""
    return subprocess.run(
        [sys.executable, *options],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
