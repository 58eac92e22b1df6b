"""Mail goes out by a server that is there, and never with a password in clear."""

import pytest

from domain import audit_events
from domain.settings import InvalidSettings, Settings
from tasks import _smtp
from tasks.mail import send_password_reset
from tests.factories import NOW, make_claim, make_user, make_username
from tests.mailbox import mailbox


@pytest.fixture
def box():
    with mailbox() as box:
        yield box


def send(url, **changed):
    settings = Settings(smtp_url=url, mail_from="coin@example.org")
    message = {"to": "ada@example.org", "subject": "A word", "text": "Grüße\n.\nEnd"}
    _smtp.send(settings, **{**message, **changed})


def test_a_message_arrives_as_it_was_written(box):
    send(box.url)
    (message,) = box.messages

    assert message["Subject"] == "A word"
    assert message.get_content().splitlines() == ["Grüße", ".", "End"]


def test_who_has_a_password_there_shows_it_on_this_host(box):
    send(box.url.replace("//", "//user:p%40ss@"))

    assert len(box.logins) == 1


def test_a_password_is_not_shown_in_clear_to_another_host(box, monkeypatch):
    monkeypatch.setattr(_smtp, "_LOOPBACK", frozenset())

    with pytest.raises(_smtp.Unencrypted):
        send(box.url.replace("//", "//user:pass@"))
    assert (box.logins, box.messages) == ([], [])


def test_no_header_is_smuggled_in(box):
    with pytest.raises(ValueError, match="linefeed"):
        send(box.url, to="ada@example.org\nBcc: eve@example.org")

    assert box.messages == []


def test_a_server_that_is_away_is_an_error():
    with pytest.raises(OSError, match="refused"):
        send("smtp://127.0.0.1:1")


def test_mail_has_a_sender():
    environ = {"DATABASE_URL": "postgresql://x", "SMTP_URL": "smtp://mail"}

    with pytest.raises(InvalidSettings, match="MAIL_FROM"):
        Settings.from_environ(environ)


def test_a_mail_for_a_new_password_is_recorded_for_who_gets_one(session):
    user = make_user(session, email=f"{make_username()}@example.org")
    asked = [user.email, f"{make_username()}@example.org"]
    for address in asked:
        claim = make_claim(payload={"email": address}, request_id="request-of-theirs")
        send_password_reset(session, claim, now=NOW)
    found = audit_events.page(session, action="password.reset_sent", limit=2).items

    (event,) = (row.AuditEvent for row in found)
    assert (event.subject, event.actor) == (f"user:{user.id}", None)
    assert (event.request_id, event.details) == ("request-of-theirs", {})
