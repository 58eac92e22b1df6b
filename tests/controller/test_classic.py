"""The classic policy: the rules of the first documents, and nothing of ours."""

import pytest

from controller.classic import alarms, decide
from tests.controller.load import NOW, hosts, ticks, view
from tests.controller.test_policy import moved


def seen(*, ready=0, hour=50.0, recent=None, current=3, **fields):
    """Return a view: an hour at one use of the processor, the last ten at another."""
    measured = [
        *hosts(600, until=NOW - 600, cpu=hour),
        *hosts(120, cpu=hour if recent is None else recent),
    ]
    return view(ticks(ready=ready), hosts=measured, current=current, **fields)


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"ready": 100}, 0),
        ({"ready": 101}, 1),
        ({"hour": 81.0}, 1),
        ({"hour": 40.0, "recent": 85.0}, 1),
        ({"hour": 55.0, "recent": 65.0}, 0),  # it rose, by less than a half
        ({"hour": 20.0, "recent": 59.0, "ready": 10}, 0),  # it rose, to less than 60
        ({"hour": 20.0, "recent": 61.0, "ready": 10}, 1),
        ({"hour": 29.0, "ready": 9}, -1),
        ({"hour": 29.0, "ready": 10}, 0),
        ({"hour": 31.0}, 0),
    ],
)
def test_each_rule_is_one_step(fields, step):
    assert decide(seen(**fields)).desired == 3 + step


def test_ten_minutes_pass_between_two_actions():
    assert decide(seen(ready=500, past=[moved(NOW - 599, 2, 3)])).desired == 3
    assert decide(seen(ready=500, past=[moved(NOW - 601, 2, 3)])).desired == 4


def test_its_bounds_are_kept():
    assert decide(seen(ready=500, current=40)).desired == 40
    assert decide(seen(hour=1.0, current=1)).desired == 1
    assert decide(seen(ready=500, current=6, ceilings={"memory": 6})).desired == 6


def test_nothing_measured_is_not_idle():
    """The average of nothing was 0 there, and 0 was idle."""
    assert decide(view(ticks(), current=3)).desired == 3
    assert decide(view([], hosts=hosts(), current=3)).desired == 3


def test_advice_is_given_beside():
    sentence = decide(view(ticks(), hosts=hosts(5, memory=90.0))).sentence

    assert "give it more memory" in sentence
    assert "measure more often" in sentence


def test_what_is_nearly_used_up_is_told():
    (host,) = hosts(1, cpu=96, memory=91, disk=90)

    assert alarms(host) == ["cpu 96 % is above 95 %", "memory 91 % is above 90 %"]


def test_an_alarm_is_part_of_what_is_recorded():
    full = hosts(600, cpu=96, memory=91)

    assert "alarm: cpu 96 % is above 95 %" in decide(view(hosts=full)).reason
    assert "alarm: memory 91 % is above 90 %" in decide(view(hosts=full)).reason
    assert "alarm" not in decide(view(hosts=hosts(600))).reason
