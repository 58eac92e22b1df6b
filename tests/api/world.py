"""What the document's examples speak of: each id in them is made real before.

A new parameter of a path gets a maker in `found`, a body with an id one in `body`.
"""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID

from api.assets import path_of
from domain import jobs, password_resets, users
from tests.api.bounties import makers as bounty_makers
from tests.api.calling import Caller, operation
from tests.api.councils import makers as council_makers
from tests.api.governance_votes import hold_ranked
from tests.api.holders import Holder, Signer
from tests.api.people import make_name, make_person, register
from tests.api.votes import DELEGATIONS, open_vote
from tests.proposals import make_decided, make_draft, make_open, make_spend

OWNER = "alice"
ROLES = (
    "/api/users",
    "/api/users/{user_id}/roles",
    "/api/users/{user_id}/roles/{role}",
    "/api/governance/councils",
    "/api/governance/councils/{council_id}/elections",
)


class World:
    """Those who send the examples, and what they find."""

    def __init__(self, app, sessions, new_caller, issuer=None):
        self.app = app
        self.issuer = issuer
        self.sessions = sessions
        self.stranger = Caller(app)
        self.key, self.content_key = (
            new_caller(app=app, sessions=sessions, application=application)
            for application in ("commons", "content")
        )

    def caller(self, described):
        """Return who sends an example: the first who may."""
        if not described.callers:
            return self.stranger
        if described.path.startswith("/content"):
            return self.content_key
        if "apiKey" in described.callers:
            return self.key
        if described.path.endswith("/veto"):
            return self.guardian
        return self.admin if described.path in ROLES else self.person

    def credentials(self, described):
        """Return the header that says who sends a request."""
        caller = self.caller(described)
        if caller is self.stranger:
            return {}
        if caller in (self.key, self.content_key):
            return {"X-API-Key": caller.key}
        return {"Authorization": f"Bearer {caller.access_token}"}

    @cached_property
    def person(self):
        return make_person(self.app, self.sessions, kind=Holder)

    @cached_property
    def admin(self):
        return make_person(self.app, self.sessions, "admin", kind=Holder)

    @cached_property
    def guardian(self):
        return make_person(self.app, self.sessions, "guardian")

    @cached_property
    def signer(self):
        """A wallet of the person, not proved yet, and what signs with its key."""
        signer = Signer()
        signer.wallet = self.person.add(signer).json["id"]
        return signer

    def found(self, described):
        """Return what stands in the path for its parameters."""
        names = described.parameters("path")
        shown = {name: one.get("example") for name, one in names.items()}
        if described.path.startswith("/assets"):
            _, _, shown["digest"], shown["file"] = path_of("help.css").split("/")
        makers = {
            "job_id": self._job,
            "transfer_id": self._transfer,
            "content_id": self._content,
            "key_id": lambda _: self.made("/auth/api-keys", scopes=["ledger:read"]),
            "login_id": lambda _: self.person.session,
            "block_id": lambda _: self.made(
                "/api/immune/blocklist", address="203.0.113.0/24", reason="spam"
            ),
            "webhook_id": lambda _: self._webhook,
            "delivery_id": lambda _: self.made(f"/api/webhooks/{self._webhook}/ping"),
            "proposal_id": self._proposal,
            "delegation_id": lambda _: self._delegation(),
            "user_id": lambda _: self.person.id,
            "wallet_id": lambda _: self.signer.wallet,
            **council_makers(self),
            **bounty_makers(self),
        }
        real = {name: makers[name](described) for name in names if name in makers}
        if described.path.endswith("/roles/{role}"):
            path = f"/api/users/{self.person.id}/roles"
            self.admin.post(path, {"role": shown["role"]})
        return {**shown, **real}

    @cached_property
    def _webhook(self):
        """One whose deliveries nobody sends."""
        body = {"url": "https://example.org/hook", "events": ["job.failed"]}
        return self.made("/api/webhooks", **body)

    def made(self, path, **body):
        return self.key.post(path, body).json["id"]

    def _proposal(self, described):
        """Return a draft of the person's, further on where the path asks for that."""
        yesterday = datetime.now(UTC) - timedelta(days=1)
        given = {"author": self.person.user.id}
        last = described.path.rpartition("/")[2]
        if last in {"result", "package", "counts"}:
            return hold_ranked(self.sessions)
        with self.sessions.begin() as session:
            if last in {"ballots", "mine", "conflicts"}:
                return str(open_vote(session, self.person.user.id))
            if last == "veto":
                made = make_spend(session, closed_at=yesterday, **given)
            elif last == "outcome":
                given["type_name"] = "simple_majority"
                made = make_decided(session, closed_at=yesterday, **given)
            else:
                made = self._draft = make_draft(session, now=yesterday, **given)
        return made.row.id

    def _delegation(self):
        body = {"delegate_id": self.admin.id}
        return self.person.post(DELEGATIONS, body).json["id"]

    def _amended(self, _example):
        with self.sessions.begin() as session:
            now = datetime.now(UTC)
            made = make_open(session, amends=self._draft.row.id, now=now)
        return {"amendment_id": str(made.row.id), "version": 1}

    def _job(self, described):
        """Return a job that is queued for cancelling, failed for trying it again."""
        job_id = self.made("/ledger", **operation(OWNER))
        if described.path.endswith("/retry"):
            with self.sessions.begin() as session:
                jobs.fail(
                    session,
                    UUID(job_id),
                    attempt=1,
                    attempts_max=1,
                    now=datetime.now(UTC),
                )
        elif described.method == "GET":
            self.key.delete(f"/jobs/{job_id}")
        return job_id

    def _transfer(self, _described):
        done = self.key.done("/ledger", operation(OWNER))
        return done.json["transfer"]["id"]

    def _content(self, _described):
        self.content_key.fund(OWNER)
        body = {"owner_id": OWNER, "nonce": "first"}
        return self.content_key.done("/content", body).json["content"]["id"]

    def body(self, described, example):
        """Return an example's body, with what cannot be known beforehand."""
        makers = {
            "post_auth_register": self._registered,
            "post_auth_token": self._logged_in,
            "post_auth_refresh": self._refreshed,
            "post_auth_external": self._identified,
            "post_auth_password_reset_confirm": self._mailed,
            "post_ledger_transfers": self._funded,
            "post_content": self._funded,
            "post_api_governance_delegations": lambda _: {"delegate_id": self.admin.id},
            "post_api_governance_proposals_proposal_id_adoption": self._amended,
            "post_api_bounties": self._endowed,
            "post_api_users_user_id_wallets_wallet_id_proof": self._proved,
        }
        maker = makers.get(described.name)
        return {**example, **maker(example)} if maker else example

    def _registered(self, _example):
        name = make_name()
        return {"username": name, "email": f"{name}@example.org"}

    def _logged_in(self, example):
        name = make_name()
        register(self.stranger, username=name, password=example["password"])
        return {"username": name}

    def _refreshed(self, _example):
        return {"refresh_token": self.person.refresh_token}

    def _identified(self, _example):
        return {"id_token": self.issuer.token(), "username": make_name()}

    def _mailed(self, _example):
        with self.sessions.begin() as session:
            user = users.by_username(session, self.person.user.username)
            now = datetime.now(UTC)
            return {"token": password_resets.make(session, user, secret="", now=now)}

    def _funded(self, _example):
        self.key.fund(OWNER)
        self.content_key.fund(OWNER)
        return {}

    def _endowed(self, _example):
        self.key.fund(self.person.id)
        return {}

    def _proved(self, _example):
        path = f"{self.person.wallets}/{self.signer.wallet}/challenge"
        asked = self.person.post(path).json
        signature = self.signer.sign(asked["message"].encode())
        return {"challenge": asked["challenge"], "signature": signature}
