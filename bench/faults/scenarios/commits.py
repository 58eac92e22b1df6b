"""Commits whose outcome their client is never told."""

from bench.faults.attack import Attack, Impossible

_SHARE = 0.1


def cut(attack: Attack) -> None:
    """Cut the connection around every tenth COMMIT, before or after it."""
    proxy = attack.grounds.proxy
    if proxy is None:
        raise Impossible("no proxy stands before the database")
    with attack.fault():
        proxy.share = _SHARE
        attack.pause(attack.times(15, 4))
        proxy.share = 0.0
    with attack.recovering():
        pass
    attack.count = proxy.unsent + proxy.unanswered
    attack.notes.append(f"{proxy.unanswered} committed, {proxy.unsent} not")
