"""One attempt to deliver a webhook: look up, check, sign, post, tell how it went."""

import re
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Final

import structlog
from standardwebhooks import Webhook

from domain.errors import DomainError
from domain.webhooks import Attempt, Chosen, Target, may_be_reached, read_target
from tasks import _figures
from tasks._outgoing import FAILURES, Answer, Request, connection, exchange

_log = structlog.get_logger()

# All of an attempt takes less than its lease (domain/webhooks/sending.py).
ATTEMPT_SECONDS: Final = 15.0
_LOOK_UP_SECONDS: Final = 5.0
_LOOK_UPS: Final = 32
BODY_BYTES_KEPT: Final = 1_024
_ERROR_LENGTH_MAX: Final = 200
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

# Who says which addresses a host has.
LookUp = Callable[[str, int], Sequence[str]]


class AddressRefused(ValueError):
    """A host leads to an address that no webhook may go to."""


def look_up(host: str, port: int) -> list[str]:
    """Return a host's addresses, each once, or raise OSError.

    In a thread of its own: the system's resolver takes as long as it likes.
    """
    asked = _resolver().submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = asked.result(_LOOK_UP_SECONDS)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


@cache
def _resolver() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="look-up")


def post(
    chosen: Chosen, *, secret: str, loopback: bool, ask: LookUp = look_up
) -> Attempt:
    """Send a delivery once; whatever happens is how the attempt went."""
    at, began = datetime.now(UTC), time.monotonic()
    answer, error = None, None
    try:
        target = read_target(chosen.url, loopback=loopback)
        address = _address(target, ask, chosen.tries - 1, loopback=loopback)
        answer = _post(chosen, target, address, secret=secret, at=at)
    except (DomainError, *FAILURES) as failure:
        error = _said(failure)
    except Exception as failure:  # noqa: BLE001  one delivery is not to stop others
        # Ours, not the receiver's; it is tried again all the same.
        _log.exception("delivery_broken", delivery=chosen.id)
        error = type(failure).__name__
    attempt = _attempt(chosen, at, began, answer, error)
    _log.info(
        "webhook_posted",
        delivery=chosen.id,
        endpoint=chosen.endpoint_id,
        status=attempt.status,
        error=attempt.error,
        ms=attempt.ms,
        request=chosen.request_id,
        trace=chosen.trace,
    )
    _figures.sent(attempt)
    return attempt


def _address(target: Target, ask: LookUp, tries: int, *, loopback: bool) -> str:
    """Return the address to connect to; it is looked up once, and not again."""
    addresses = ask(target.host, target.port)
    if not addresses:
        raise OSError(f"{target.host} has no address")
    # One that may be reached beside one that may not: whose host is that?
    if not all(may_be_reached(one, loopback=loopback) for one in addresses):
        raise AddressRefused(f"{target.host} leads to an address that is not public")
    # Should it not answer, the next try goes to the next.
    return addresses[tries % len(addresses)]


def _post(
    chosen: Chosen, target: Target, address: str, *, secret: str, at: datetime
) -> Answer:
    body = chosen.body()
    message = f"msg_{chosen.id.hex}"
    signatures = (
        Webhook(one).sign(message, at, body)
        for one in chosen.secrets(secret=secret, now=at)
    )
    headers = {
        "Host": target.authority,
        "Content-Type": "application/json",
        "User-Agent": "peoples-coin",
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    if chosen.request_id:
        headers["X-Request-ID"] = chosen.request_id
    if chosen.trace:
        headers["traceparent"] = chosen.trace
    return exchange(
        connection(target.scheme, target.host, target.port, address=address),
        Request("POST", target.path, headers, body.encode()),
        seconds=ATTEMPT_SECONDS,
        bytes_max=BODY_BYTES_KEPT,
    )


def _attempt(
    chosen: Chosen,
    at: datetime,
    began: float,
    answer: Answer | None,
    error: str | None,
) -> Attempt:
    ms = round((time.monotonic() - began) * 1000)
    if answer is None:
        return Attempt(chosen, at, ms, error=error)
    kept = answer.body[:BODY_BYTES_KEPT].decode(errors="replace").replace("\0", "")
    wait = _retry_after(answer.headers.get("Retry-After"), at)
    return Attempt(chosen, at, ms, answer.status, body=kept, retry_after=wait)


def _retry_after(text: str | None, now: datetime) -> timedelta:
    """Return how long a receiver asks us to wait (RFC 9110 §10.2.3)."""
    if text is None:
        return timedelta(0)
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return timedelta(0)
    # A date without a zone is of no use.
    return until - now if until.tzinfo else timedelta(0)


def _said(failure: Exception) -> str:
    """Return a failure in a line; never what we sent."""
    return f"{type(failure).__name__}: {failure}"[:_ERROR_LENGTH_MAX].replace("\0", "")
