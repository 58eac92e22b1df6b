"""Asks a service, where one is set, whether a person is there (as reCAPTCHA does)."""

from typing import Final

import structlog

from api.errors import Problem, unavailable
from api.outgoing import Unanswered, ask

_log = structlog.get_logger()

_SECONDS: Final = 3.0
# What it may answer, for those who describe a route.
REFUSES_BOTS: Final = ("captcha_needed", "captcha_failed", "bot_check_unavailable")


class BotCheck:
    """Asks the service, where the settings name one."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret

    def require_person(self, captcha: str | None, address: str) -> None:
        """Answer 422 unless the service says that a person solved its puzzle."""
        if not self._url:
            return
        if not captcha:
            raise Problem(422, "captcha_needed", "Send `captcha`, the puzzle's answer.")
        form = {"secret": self._secret, "response": captcha, "remoteip": address}
        try:
            answer = ask(self._url, seconds=_SECONDS, form=form)
        except Unanswered as error:
            # No answer is not a good one.
            _log.error("bot_check_unanswered", error=str(error))
            raise unavailable(
                "bot_check_unavailable", "The service that checks `captcha` is away."
            ) from None
        if answer.get("success") is not True:
            raise Problem(
                422, "captcha_failed", "This answer is no good; solve another."
            )
