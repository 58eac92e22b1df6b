"""The ledger as anyone would write it down: one write after another, in memory."""

from collections import defaultdict
from copy import deepcopy

from domain.ledger.writes import POST_BATCH

AMOUNTS = {"DAILY_REWARD": 1, "SIGNUP_CREDIT": 3, "CREDIT_SPEND": -1, "CREDIT_ADD": 10}
SYSTEM = ("@issuance", "@treasury")


class Books:
    """One application's accounts, transfers and claims."""

    def __init__(self):
        self.accounts = defaultdict(lambda: (0, 0))  # owner: balance, version
        self.transfers = {}  # (principal, nonce): move, answer
        self.claimed = set()

    def answer(self, claim):
        """Return what becomes of each write of a job, and remember it."""
        if claim.kind != POST_BATCH:
            return [self.write(claim, claim.payload)]
        before = deepcopy(self)
        answers = [self.write(claim, entry) for entry in claim.payload["entries"]]
        if claim.payload["atomic"] and any(a[0] == "refused" for a in answers):
            vars(self).update(vars(before))
            return [answer for answer in answers if answer[0] == "refused"]
        return answers

    def write(self, claim, body):
        """Decide one write."""
        move, once, owner = self.move(claim, body)
        if isinstance(move, str):
            return ("refused", move)
        key = (claim.principal, body["nonce"])
        if key in self.transfers:
            earlier, answer = self.transfers[key]
            return answer if earlier == move else ("refused", "idempotency_key_reused")
        _, source, target, amount, *_ = move
        if once in self.claimed:
            refusal = "already_reversed" if body.get("reason") else "already_claimed"
            return ("refused", refusal)
        balance = self.accounts[source][0]
        if source != "@issuance" and balance < amount:
            return ("refused", "insufficient_credits", balance, amount)
        self.claimed |= {once} - {None}
        for account, change in ((source, -amount), (target, amount)):
            balance, version = self.accounts[account]
            self.accounts[account] = (balance + change, version + 1)
        self.transfers[key] = move, ("applied", self.accounts[owner][0])
        return self.transfers[key][1]

    def move(self, claim, body):
        """Return what a body asks for, what may be had once only, and for whom."""
        if "of" in body:
            return self.undoing(body)
        metadata = body.get("metadata")
        if "from" in body:
            source, target, amount = body["from"], body["to"], body["amount"]
            if source == target:
                return "same_account", None, None
            return ("TRANSFER", source, target, amount, metadata), None, source
        operation, owner = body["operation"], body["owner_id"]
        if operation not in AMOUNTS:
            return "unknown_operation", None, None
        amount = AMOUNTS[operation]
        sides = ("@issuance", owner) if amount > 0 else (owner, "@treasury")
        once = {
            "SIGNUP_CREDIT": (operation, owner),
            "DAILY_REWARD": (operation, owner, claim.submitted_at.date()),
        }.get(operation)
        return (operation, *sides, abs(amount), metadata), once, owner

    def undoing(self, body):
        """Return the move that undoes an earlier one."""
        if body["of"] not in self.transfers:
            return "no_such_transfer", None, None
        operation, source, target, amount, *_ = self.transfers[body["of"]][0]
        if operation == "REVERSAL":
            return "not_reversible", None, None
        owner = target if source in SYSTEM else source
        move = ("REVERSAL", target, source, amount, body["reason"], body["of"])
        return move, ("REVERSAL", body["of"]), owner
