"""Several faults at once, none of which waits for the one before."""

import signal
from collections.abc import Callable
from contextlib import suppress

import psutil
import redis

from bench.faults.attack import Attack
from bench.faults.scenarios.connections import end_one


def everything(attack: Attack) -> None:
    """Do any of these at random, without waiting for it to be over."""
    faults: list[Callable[[Attack], object]] = [
        _kill_worker,
        _kill_redis,
        _kill_api,
        Attack.flush,
        end_one,
    ]
    with attack.fault():
        for number in range(attack.times(40, 6)):
            fault = attack.chance.choice(faults)
            with suppress(psutil.NoSuchProcess, redis.RedisError):
                fault(attack)
            if number == attack.times(20, 3):
                attack.process("postgres").send_signal(signal.SIGQUIT)
            attack.pause(attack.chance.uniform(0, 1.0))
        attack.count += attack.times(40, 6)
    with attack.recovering():
        pass


def _kill_worker(attack: Attack) -> None:
    attack.chance.choice(attack.family()).kill()


def _kill_redis(attack: Attack) -> None:
    attack.process("redis").kill()


def _kill_api(attack: Attack) -> None:
    attack.process("web").kill()
