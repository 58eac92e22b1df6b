"""Rate limits: whom a request counts for, what that leaves, and when it is too much.

Before anything is looked up, a request that nobody is known to send counts for its
address; one of a known caller counts for that caller alone, however many share the
address. Failures that repeat make a quota smaller, and an address blocked for a while.
"""

import math
import time
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import UUID

import falcon
import structlog

from api.addresses import UNKNOWN, Addresses, counted
from api.blocklist import Blocklist, Standing
from api.errors import Problem
from api.figures import blocked_requests, limited_requests
from api.meters import Meter, Taken
from api.shared import Shared
from domain.principals import Principal
from domain.settings import OFF, Settings

_log = structlog.get_logger()

# Whoever asks whether we live must hear it, whatever happens otherwise.
LIVENESS: Final = "/health"
_PROBES: Final = frozenset({"/status/ready", "/metrics"})
_LOGINS: Final = frozenset(
    {
        *("/auth/token", "/auth/register", "/auth/external"),
        *("/auth/password-reset/request", "/auth/password-reset/confirm"),
    }
)
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# Failures of one address or principal; past the first number its quotas are a tenth,
# past the second the address is blocked for those who show no credential.
_STRIKES: Final = "120/10 minutes"
_STRIKES_BLOCKED: Final = 600
_STRIKES_TOLD: Final = 12
_GRAY_SHARE: Final = 10
_BLOCKED_SECONDS: Final = 900
_STRIKES_OF_ADDRESS: Final = frozenset({401, 404, 429})
_STRIKES_OF_PRINCIPAL: Final = frozenset({403, 429})

_CREDENTIALS_MAX: Final = 20_000

# Of the draft "RateLimit header fields for HTTP", as is the member violated-policies.
_QUOTA_EXCEEDED: Final = (
    "https://iana.org/assignments/http-problem-types#quota-exceeded"
)
_ABNORMAL_USAGE: Final = (
    "https://iana.org/assignments/http-problem-types#abnormal-usage-detected"
)


class Charged(NamedTuple):
    """What a request was counted on."""

    meter: Meter
    subject: str | UUID
    amount: int

    @classmethod
    def of(cls, meter: Meter, subject: str | UUID, *, gray: bool) -> "Charged":
        """Return a subject's quota, a smaller one for who is gray."""
        amount = max(1, meter.amount // _GRAY_SHARE) if gray else meter.amount
        return cls(meter, subject, amount)


class Limits:
    """Counts every request, and refuses what is too much."""

    def __init__(
        self,
        settings: Settings,
        addresses: Addresses,
        blocklist: Blocklist,
        shared: Shared,
    ) -> None:
        def meter(name: str, rate: str, every: int | None = None) -> Meter | None:
            return None if rate == OFF else Meter(name, rate, shared, every=every)

        self._addresses = addresses
        self._blocklist = blocklist
        anyone = settings.rate_limit_address
        self._anyone = meter("address", anyone)
        login = meter("login", settings.rate_limit_login, every=0)
        self._of_path = dict.fromkeys(_LOGINS, login)
        self._of_path |= dict.fromkeys(_PROBES, meter("probe", anyone))
        # By whether it is a person's, and whether it reads.
        key, person = settings.rate_limit_key, settings.rate_limit_person
        self._of_principal = {
            (False, True): meter("key-read", key),
            (False, False): meter("key-write", key),
            (True, True): meter("person-read", person),
            (True, False): meter("person-write", person),
        }
        self._strikes = Meter("strikes", _STRIKES, shared, every=_STRIKES_TOLD)
        # Hashes of credentials that were accepted: theirs is no address's business.
        self._accepted: set[int] = set()

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Count what nobody is known to send for its address; refuse the blocked."""
        context, path = req.context, req.path
        context.client = self._addresses.client(req)
        context.address = address = counted(context.client)
        context.credential = credential = _credential(req)
        context.charged = None
        if path == LIVENESS:
            return
        now = time.time()
        block = self._blocklist.of_address(address, now=now)
        # An address is shared: what is automatic spares who shows a credential, and
        # who would get one.
        spared = credential is not None or path in _LOGINS
        if block and path not in _PROBES and not (block.automatic and spared):
            raise _blocked(block, now)
        if credential in self._accepted and path not in _LOGINS:
            return
        meter = self._of_path.get(path, self._anyone)
        if meter is not None:
            gray = meter is self._anyone and self._is_gray(address, now)
            _charge(req, resp, Charged.of(meter, address, gray=gray), now=now)

    def process_resource(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        _params: dict[str, Any],
    ) -> None:
        """Count what a known caller sends for that caller."""
        context = req.context
        principal: Principal | None = getattr(context, "principal", None)
        if principal is None:
            self._charge_known(req, resp)
            return
        now = time.time()
        if block := self._blocklist.of_principal(principal.id, now=now):
            raise _blocked(block, now)
        if context.credential is not None:
            self._accept(context.credential)
        meter = self._of_principal[principal.owner is not None, req.method in _READS]
        if meter is not None:
            gray = self._is_gray(principal.id, now)
            _charge(req, resp, Charged.of(meter, principal.id, gray=gray), now=now)

    def _charge_known(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Count a known caller for its address where nobody asks who calls."""
        context = req.context
        if context.charged is None and self._anyone and req.path != LIVENESS:
            charged = Charged.of(self._anyone, context.address, gray=False)
            _charge(req, resp, charged, now=time.time())

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        succeeded: bool,  # noqa: FBT001  Falcon's signature
    ) -> None:
        """Count failures: those who guess and probe are slowed down."""
        if succeeded or req.path == LIVENESS:
            return
        context, status = req.context, resp.status_code
        principal: Principal | None = getattr(context, "principal", None)
        if principal is not None:
            if status in _STRIKES_OF_PRINCIPAL:
                self._strike(principal.id, status)
            return
        if status == HTTPStatus.UNAUTHORIZED:
            self._accepted.discard(context.credential)
        if status in _STRIKES_OF_ADDRESS and self._anyone is not None:
            self._strike_address(context.address, status)

    def _accept(self, credential: int) -> None:
        if credential not in self._accepted:
            if len(self._accepted) >= _CREDENTIALS_MAX:
                self._accepted.clear()
            self._accepted.add(credential)

    def _is_gray(self, subject: str | UUID, now: float) -> bool:
        if self._strikes.used(subject, now=now) <= self._strikes.amount:
            return False
        return isinstance(subject, UUID) or not self._blocklist.spares(subject, now=now)

    def _strike(self, subject: str | UUID, status: int) -> float:
        """Count a failure; return how many there are."""
        now = time.time()
        before = self._strikes.used(subject, now=now)
        if status == HTTPStatus.TOO_MANY_REQUESTS and before > self._strikes.amount:
            # Slowed down for it already; counted on, it would never end.
            return before
        strikes = self._strikes.add(subject, now=now)
        if before <= self._strikes.amount < strikes:
            _log.warning("slowed_down", subject=str(subject))
        return strikes

    def _strike_address(self, address: str, status: int) -> None:
        if self._strike(address, status) <= _STRIKES_BLOCKED or address == UNKNOWN:
            return
        now, known = time.time(), self._blocklist
        if known.of_address(address, now=now) or known.spares(address, now=now):
            return
        reason = f"{_STRIKES_BLOCKED} failures within {_STRIKES.partition('/')[2]}"
        known.block(address, seconds=_BLOCKED_SECONDS, reason=reason)


def charge_entries(req: falcon.Request, resp: falcon.Response, entries: int) -> None:
    """Count a batch by its entries; the first of them is the request itself."""
    charged: Charged | None = req.context.charged
    if charged is not None and entries > 1:
        _charge(req, resp, charged, now=time.time(), cost=entries - 1)


def _charge(
    req: falcon.Request,
    resp: falcon.Response,
    charged: Charged,
    *,
    now: float,
    cost: int = 1,
) -> None:
    """Count hits and say what is left, or answer 429."""
    meter, subject, amount = charged
    taken = meter.take(subject, now=now, cost=cost, amount=amount)
    name = meter.name
    resp.set_header("RateLimit-Policy", f'"{name}";q={amount};w={meter.seconds}')
    resp.set_header("RateLimit", f'"{name}";r={taken.remaining};t={taken.seconds}')
    if not taken.allowed:
        raise _too_many(charged, taken, cost)
    req.context.charged = charged


def _too_many(charged: Charged, taken: Taken, cost: int) -> Problem:
    meter, _, amount = charged
    limited_requests.labels(meter.name).inc()
    if cost >= amount:
        advice = f"send at most {amount} at a time"
    else:
        advice = f"try again in {taken.seconds} seconds"
    return Problem(
        429,
        "rate_limited",
        f"{amount} in {meter.seconds} seconds are allowed; {advice}.",
        headers={"Retry-After": str(taken.seconds)},
        **{"type": _QUOTA_EXCEEDED, "violated-policies": [meter.name]},
    )


def _blocked(block: Standing, now: float) -> Problem:
    blocked_requests.inc()
    seconds = max(1, math.ceil(block.until - now))
    return Problem(
        403,
        "blocked",
        f"Blocked for another {seconds} seconds; an operator can lift it sooner.",
        headers={"Retry-After": str(seconds)},
        type=_ABNORMAL_USAGE,
    )


def _credential(req: falcon.Request) -> int | None:
    """Return the hash of what says who sends it; itself it is kept nowhere."""
    environ = req.env
    text = (
        environ.get("HTTP_X_API_KEY")
        or environ.get("HTTP_X_TOKEN")
        or environ.get("HTTP_AUTHORIZATION")
    )
    return hash(text) if text else None
