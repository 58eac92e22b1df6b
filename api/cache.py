"""Hot reads from copies in Redis (`tasks/_copies.py`), or from the database."""

import time
from collections.abc import Callable
from typing import Final

from api.figures import cache_reads
from domain.jobs import Job
from domain.ledger import is_system
from tasks import Copies, balance_name

# Of what is never changed.
_ONLY_VERSION: Final = 1
_LEDGER: Final = "ledger"
_NOT_KEPT: Final = "not_kept"

# Returns a version and what is shown of it.
Load = Callable[[], tuple[int, bytes]]


class Cache:
    """What one process reads through copies, and what it has told of writes."""

    def __init__(self, url: str, life_seconds: int) -> None:
        self._copies = Copies(url, life_seconds)
        self._told = _Told(life_seconds)

    def balance(
        self, application: str, owner: str, load: Load, *, min_version: int
    ) -> bytes:
        """Return an owner's balance, from a copy only where that is new enough."""
        # A system account is the sum of its shards, and no worker knows all of them.
        if is_system(owner):
            cache_reads.labels("balance", _NOT_KEPT).inc()
            return load()[1]
        name = balance_name(application, owner)
        return self._read("balance", name, load, max(min_version, self._told[name]))

    def content(
        self, application: str, content_id: object, load: Callable[[], bytes]
    ) -> bytes:
        """Return a piece of content, which is never changed."""
        name = f"coin:content:{application}:{content_id}"
        return self._read(
            "content", name, lambda: (_ONLY_VERSION, load()), _ONLY_VERSION
        )

    def tell(self, job: Job) -> None:
        """Note the balances a caller is told of: none here will be older."""
        if not self._copies.wanted or job.queue != _LEDGER or not job.result:
            return
        if transfer := job.result.get("transfer"):
            for side in (transfer["debit"], transfer["credit"]):
                name = balance_name(transfer["application"], side["owner_id"])
                self._told.note(name, side["version"])

    def _read(self, what: str, name: str, load: Load, least: int) -> bytes:
        if not self._copies.wanted:
            cache_reads.labels(what, _NOT_KEPT).inc()
            return load()[1]
        look = self._copies.look(name)
        if look is not None and look.body and look.version >= least:
            cache_reads.labels(what, "hit").inc()
            return look.body
        cache_reads.labels(what, "away" if look is None else "miss").inc()
        version, body = load()
        # What does not exist yet has version 0, and anybody may ask for any name.
        if look is not None and version:
            self._copies.keep(name, version, body, looked=look)
        return body


class _Told:
    """The versions told of, for at least as long as a copy made before may live."""

    def __init__(self, life_seconds: int) -> None:
        self._life_seconds = life_seconds
        self._new: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._turn = 0.0

    def note(self, name: str, version: int) -> None:
        """Remember a version."""
        self._forget()
        self._new[name] = max(version, self._new.get(name, 0))

    def __getitem__(self, name: str) -> int:
        self._forget()
        return max(self._new.get(name, 0), self._old.get(name, 0))

    def _forget(self) -> None:
        now = time.monotonic()
        if now >= self._turn:
            over = now >= self._turn + self._life_seconds
            self._old, self._new = {} if over else self._new, {}
            self._turn = now + self._life_seconds
