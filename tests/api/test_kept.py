"""Answers that are kept take some memory, and no more."""

from api.governance import kept
from api.governance.kept import Kept


def test_what_was_not_asked_for_longest_makes_room(monkeypatch):
    monkeypatch.setattr(kept, "_BYTES_MAX", 10)
    answers = Kept()
    answers.keep("a", b"aaaa")
    answers.keep("b", b"bbbb")
    answers.get("a")
    answers.keep("c", b"cccc")

    assert [answers.get(name) for name in "abc"] == [b"aaaa", None, b"cccc"]


def test_an_answer_too_long_is_not_kept(monkeypatch):
    monkeypatch.setattr(kept, "_ANSWER_BYTES_MAX", 3)
    answers = Kept()
    answers.keep("a", b"aaaa")
    answers.keep("b", b"bbb")

    assert (answers.get("a"), answers.get("b")) == (None, b"bbb")


def test_what_is_kept_for_some_seconds_is_made_anew_then():
    now = [0.0]
    answers = Kept(5, clock=lambda: now[0])
    answers.keep("a", b"old")
    now[0] = 4.9
    assert answers.get("a") == b"old"
    now[0] = 5

    assert answers.get("a") is None
    answers.keep("a", b"new")
    assert answers.get("a") == b"new"


def test_what_is_kept_twice_counts_once(monkeypatch):
    monkeypatch.setattr(kept, "_BYTES_MAX", 8)
    answers = Kept()
    for name in "aaab":
        answers.keep(name, b"xxxx")

    assert answers.get("a") == answers.get("b") == b"xxxx"
