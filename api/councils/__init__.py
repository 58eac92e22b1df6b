"""Councils on the wire: who sits, who stands, and who is to leave."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.councils.councils import CouncilItem, Councils
from api.councils.elections import Elections, Nominations
from api.councils.recalls import Recalls, Seconds
from api.councils.seats import (
    Absences,
    Answers,
    Members,
    SeatItem,
    Seats,
    Vacancies,
)


def add_routes(app: falcon.App[Any, Any], sessions: sessionmaker[Session]) -> None:
    """Serve councils, their seats, elections and recalls."""
    all_, one = "/api/governance/councils", "/api/governance/councils/{council_id:uuid}"
    seat = f"{one}/seats/{{seat_id:uuid}}"
    app.add_route(all_, Councils(sessions))
    app.add_route(one, CouncilItem(sessions))
    app.add_route(f"{one}/seats", Seats(sessions))
    app.add_route(seat, SeatItem(sessions))
    app.add_route(f"{seat}/absence", Absences(sessions))
    app.add_route(f"{seat}/absence/answer", Answers(sessions))
    app.add_route(f"{seat}/vacancy", Vacancies(sessions))
    app.add_route(f"{one}/elections", Elections(sessions))
    app.add_route(f"{one}/recalls", Recalls(sessions))
    app.add_route(f"{one}/recalls/{{recall_id:uuid}}/second", Seconds(sessions))
    app.add_route(
        "/api/governance/elections/{election_id:uuid}/nominations",
        Nominations(sessions),
    )
    app.add_route("/api/governance/council_members", Members(sessions))
