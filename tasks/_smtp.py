"""Mail as it leaves: one message, one connection, within a time."""

import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog

from domain.settings import Settings

_log = structlog.get_logger()

_SECONDS: Final = 10.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Unencrypted(Exception):
    """The mail server offers no TLS, and a password would be read on its way there."""


def send(settings: Settings, *, to: str, subject: str, text: str) -> None:
    """Hand one message to the mail server; where none is set, to our log."""
    if not settings.smtp_url:
        _log.info("mail_not_sent", to=to, subject=subject, text=text)
        return
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    with _connect(settings.smtp_url) as server:
        server.send_message(message)


def _connect(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host, context = parts.hostname or "localhost", ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or 465, timeout=_SECONDS, context=context
        )
        encrypted = True
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)
        server.ehlo()
        encrypted = server.has_extn("starttls")
        if encrypted:
            server.starttls(context=context)
    if parts.username:
        if not encrypted and host not in _LOOPBACK:
            server.close()
            raise Unencrypted(host)
        server.login(unquote(parts.username), unquote(parts.password or ""))
    return server
