"""What can go wrong with a request: each is given the exchange, and may answer it."""

import json

from tests.controller.kubernetes.api_server import status_of
from tests.controller.kubernetes.cluster import Refused

DRIP_SECONDS = 0.05


def status(code, message="of no use", **headers):
    """Answer with this status and this message."""

    def fault(exchange):
        refused = Refused(code, "Unknown", message)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        exchange.reply(code, status_of(refused), named)
        return True

    return fault


def says(text, content_type="text/html"):
    """Answer 200 with something that is no object."""

    def fault(exchange):
        exchange.reply(200, text, {"Content-Type": content_type})
        return True

    return fault


def first(do):
    """Let something happen between what was read and this request."""

    def fault(_exchange):
        do()
        return False

    return fault


def late(seconds):
    """Answer as usual, but late; or never, if all is over before."""

    def fault(exchange):
        return exchange.api.over.wait(seconds)

    return fault


hang = late(None)


def slow(seconds, *, pieces=20):
    """Answer as usual, but take this long over it."""

    def fault(exchange):
        code, said = exchange.api.answer(exchange.asked)
        body = json.dumps(said).encode()
        exchange.begin(code, len(body))
        for number in range(pieces):
            exchange.api.over.wait(seconds / pieces)
            part = slice(
                number * len(body) // pieces, (number + 1) * len(body) // pieces
            )
            exchange.wfile.write(body[part])
        return True

    return fault


def drip(*pieces):
    """Send pieces one after another, the last again and again."""

    def fault(exchange):
        said = iter(pieces)
        piece = next(said)
        while not exchange.api.over.wait(DRIP_SECONDS):
            try:
                exchange.wfile.write(piece)
            except OSError:
                break
            piece = next(said, piece)
        exchange.close_connection = True
        return True

    return fault
