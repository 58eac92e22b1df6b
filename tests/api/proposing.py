"""How these tests propose: drafts of people, and what they are answered."""

from datetime import UTC, datetime, timedelta

from tests.proposals import TITLE, WORDS, make_open

PROPOSALS = "/api/governance/proposals"
TYPES = "/api/governance/proposal-types"
REASON = {"reason": "It is done already."}


def draft(person, **fields):
    body = {
        "type": "simple_majority",
        "title": TITLE,
        "description": WORDS,
        **fields,
    }
    return person.post(PROPOSALS, body)


def path_of(person, **fields):
    """Draft a proposal and return where it is."""
    return draft(person, **fields).headers["Location"]


def patch(person, path, body, **headers):
    tag = {"If-Match": person.get(path).headers["ETag"]}
    return person.send("PATCH", path, json=body, headers={**tag, **headers})


def refused(answer):
    return answer.status_code, answer.json["code"]


def make_further(sessions, how, **fields):
    """Return the path of a proposal that is further on than HTTP lets it be."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with sessions.begin() as session:
        when = "now" if how is make_open else "closed_at"
        case = how(session, **{when: yesterday, **fields})
    return f"{PROPOSALS}/{case.row.id}"
