import pytest
import sqlalchemy as sa

from domain import content
from domain.content import ACCESS_CONTENT, CREATE_CONTENT, Content, NoSuchContent
from domain.errors import IdempotencyKeyReused
from domain.ids import uuid7
from domain.ledger import InsufficientCredits, balance
from tests.factories import NOW, fund, make_claim, make_lane, make_origin, make_owner


@pytest.fixture
def owner(session):
    """An owner with credits for two pieces."""
    owner = make_owner()
    fund(session, owner, origin=make_origin(application="content"))
    return owner


@pytest.fixture
def create(session):
    lane = make_lane()
    return lambda *claims: content.create(session, claims, lane=lane, now=NOW)


@pytest.fixture
def access(session):
    lane = make_lane()
    return lambda *claims: content.access(session, claims, lane=lane, now=NOW)


def creation(owner, **fields):
    payload = {"owner_id": owner, "nonce": str(uuid7()), "title": "On bread"}
    names = payload.keys() & fields.keys()
    payload |= {name: fields.pop(name) for name in names}
    return make_claim(CREATE_CONTENT, payload, application="content", **fields)


def reading(owner, content_id, **fields):
    payload = {
        "owner_id": owner,
        "nonce": str(uuid7()),
        "content_id": str(content_id),
    }
    return make_claim(ACCESS_CONTENT, payload, **{"application": "content", **fields})


def balance_of(session, owner):
    return balance(session, application="content", owner=owner).balance


def test_publishing_costs_five_credits_and_is_stored(session, create, owner):
    result = create(creation(owner))[0].result
    found = content.find(
        session, content_id=result["content"]["id"], application="content"
    )

    assert result["balance"] == balance_of(session, owner) == 5
    assert result["content"]["id"] == result["transfer"]["id"]
    assert result["content"]["title"] == found.title == "On bread"


def test_content_without_its_price_is_not_stored(session, create):
    poor = make_owner()
    refusal = create(creation(poor))[0].refusal

    assert type(refusal) is InsufficientCredits
    assert session.scalars(sa.select(Content).where(Content.owner == poor)).all() == []


def test_publishing_once_more_with_one_nonce_is_a_replay(session, create, owner):
    claim = creation(owner)
    first, same, again = *create(claim, claim), *create(claim)

    assert first.result == same.result == again.result
    assert balance_of(session, owner) == 5


def test_another_title_under_one_nonce_is_another_body(create, owner):
    one = creation(owner, nonce="n")
    other = creation(owner, nonce="n", title="On wine", principal=one.principal)

    assert type(create(one, other)[1].refusal) is IdempotencyKeyReused


def test_a_title_is_not_needed(create, owner):
    assert create(creation(owner, title=None))[0].result["content"]["title"] is None


def test_content_paid_for_by_a_plain_ledger_write_is_not_paid_twice(
    session, create, owner
):
    claim = creation(owner)
    create(claim)
    create(claim._replace(id=uuid7()))

    assert balance_of(session, owner) == 5


def test_hundreds_are_published_with_as_many_statements_as_a_few(session, create):
    origin = make_origin(application="content")

    def statements(count):
        owner, seen = make_owner(), []
        fund(session, owner, times=count, origin=origin)
        claims = [creation(owner) for _ in range(count)]

        def note(_connection, _cursor, statement, *_others):
            seen.append(statement)

        connection = session.connection()
        sa.event.listen(connection, "before_cursor_execute", note)
        create(*claims)
        session.flush()
        sa.event.remove(connection, "before_cursor_execute", note)
        return len(seen)

    statements(1)  # opens the lane's system accounts

    assert statements(300) == statements(2)


def test_reading_is_free_and_counted(session, create, access, owner):
    made = create(creation(owner))[0].result["content"]
    result = access(reading(owner, made["id"]))[0].result

    assert (result["transfer"]["amount"], result["balance"]) == (0, 5)
    assert result["transfer"]["metadata"] == {"content_id": made["id"]}


def test_readings_are_answered_each_for_itself(create, access, owner):
    made = create(creation(owner))[0].result["content"]
    outcomes = access(
        reading(owner, made["id"]), reading(owner, uuid7()), reading("b", made["id"])
    )

    assert [type(outcome.refusal) for outcome in outcomes] == [
        type(None),
        NoSuchContent,
        type(None),
    ]


def test_content_of_another_application_is_not_there(session, create, access, owner):
    made = create(creation(owner))[0].result["content"]

    with pytest.raises(NoSuchContent):
        content.find(session, content_id=made["id"], application="commons")


def test_content_that_never_was_is_not_there(session):
    with pytest.raises(NoSuchContent):
        content.find(session, content_id=uuid7(), application="content")
