"""What is answered about councils: seats, elections, nominations, recalls."""

from api.shapes.members import (
    A_PERSON,
    A_TIME,
    AN_ID,
    Shape,
    identity,
    mapping,
    moment,
    several,
    text,
    truth,
    whole,
)


class Council(Shape):
    """Seats that members are elected to."""

    id = identity()
    name = text("Stewards of the garden")
    description = text("Decides what is planted, and who waters it.")
    seats = whole(5)
    vacancies = whole(1)
    term_days = whole(365)
    affiliation_cap = whole(2, null=True, about="So many may share an affiliation.")
    created_at = moment()


class Seat(Shape):
    """One person's seat in a council, from one day to another."""

    id = identity()
    council_id = identity()
    user_id = identity(A_PERSON)
    username = text("ada")
    role = text("chair", about="`member`, or what the council calls it.")
    affiliation = text("Canal Street", null=True)
    active = truth(example=True)
    since = moment()
    until = moment()
    ended_at = moment(None, null=True)
    ended_because = text(
        None,
        null=True,
        about="`resigned`, `recalled`, `absent`, `replaced`, `expired` or `left`.",
    )
    elected_by = identity(null=True, about="The election, by whose ballots they sit.")


class SeatList(Shape):
    """Who sits in a council."""

    seats = several(Seat)


class Absence(Shape):
    """That somebody is missed, until they answer."""

    seat_id = identity()
    reported_by = identity(A_PERSON)
    at = moment()
    answer_by = moment(about="From then on the seat may be declared vacant.")
    answered_at = moment(None, null=True)


class Election(Shape):
    """An election to seats of a council: a proposal, with its ballots."""

    id = identity(about="Of the proposal, too.")
    council_id = identity()
    seats = whole(5)
    all = truth(example=True, about="Whether it replaces whoever sits.")
    state = text("discussion", about="Nominations are open in `discussion`.")
    called_by = identity(A_PERSON)
    called_at = moment()
    timeline = mapping({"opened_at": A_TIME, "frozen_at": A_TIME}, null=True)


class Nomination(Shape):
    """Somebody who stands in an election."""

    election_id = identity(AN_ID)
    user_id = identity(A_PERSON)
    username = text("ada", about="As it stands on ballots.")
    affiliation = text("Canal Street", null=True)
    statement = text("I have watered the tulips for three years.")
    at = moment()


class NominationList(Shape):
    """Who stands in an election."""

    nominations = several(Nomination)


class Recall(Shape):
    """A call to take a seat from somebody, or from everybody in a council."""

    id = identity()
    council_id = identity()
    seat_id = identity(null=True, about="Null: of the whole council.")
    reason = text("Has not been seen at a meeting since the spring.")
    state = text("called", about="`called`, `seconded` or `lapsed`.")
    called_by = identity(A_PERSON)
    called_at = moment()
    lapses_at = moment(about="Unless it is seconded before.")
    seconded_by = identity(None, null=True)
    seconded_at = moment(None, null=True)
    proposal_id = identity(None, null=True, about="The vote on it.")
