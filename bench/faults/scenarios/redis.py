"""Redis is restarted, emptied and frozen."""

from bench.faults.attack import Attack


def restarted(attack: Attack) -> None:
    """SIGKILL Redis, which is then started again."""
    for _ in range(attack.times(5)):
        attack.strike("redis")
        attack.pause(attack.chance.uniform(0, 1.0))


def flushed(attack: Attack) -> None:
    """FLUSHALL."""
    for _ in range(attack.times(5, 2)):
        with attack.fault(), attack.recovering():
            attack.flush()
        attack.pause(attack.chance.uniform(0, 1.0))


def frozen(attack: Attack) -> None:
    """SIGSTOP Redis, then let it go on."""
    victim = attack.process("redis")
    with attack.fault():
        victim.suspend()
        try:
            attack.pause(attack.times(10, 3))
        finally:
            victim.resume()
    with attack.recovering():
        pass
