"""Content: publishing costs five credits, reading is counted and free."""

from uuid import uuid4

import pytest

from tests.api.calling import make_nonce, operation, pointers
from tests.factories import make_owner


@pytest.fixture
def publisher(new_caller):
    return new_caller(application="content")


@pytest.fixture
def author(publisher, worker):
    """One with ten credits."""
    author = make_owner("author")
    publisher.done("/ledger", operation(author))
    return author


def piece(owner, **fields):
    return {"owner_id": owner, "nonce": make_nonce(), **fields}


@pytest.fixture
def published(publisher, author):
    return publisher.done("/content", piece(author, title="First words"))


def test_publishing_costs_five_credits(publisher, author, published):
    assert (published.status_code, published.json["balance"]) == (201, 5)
    assert published.json["transfer"]["operation"] == "CONTENT_CREATION"
    assert publisher.balance(author) == 5


def test_what_was_published_is_found_where_the_answer_says(
    publisher, author, published
):
    """RFC 9110 §15.3.2."""
    shown = publisher.get(published.headers["Location"]).json

    assert shown == published.json["content"]
    assert set(shown) == {"id", "application", "owner_id", "title", "created_at"}
    assert (shown["owner_id"], shown["title"]) == (author, "First words")


def test_a_title_is_not_needed(publisher, author):
    answer = publisher.done("/content", piece(author))

    assert (answer.status_code, answer.json["content"]["title"]) == (201, None)


def test_who_has_too_little_publishes_nothing(publisher, worker):
    answer = publisher.done("/content", piece(make_owner()))

    assert (answer.status_code, answer.json["code"]) == (409, "insufficient_credits")
    assert (answer.json["available"], answer.json["needed"]) == (0, 5)


def test_publishing_again_is_published_once(publisher, author):
    body = piece(author)

    first, again = (publisher.done("/content", body) for _ in range(2))

    assert again.json == first.json
    assert publisher.balance(author) == 5


def test_reading_is_free_and_counted(publisher, author, published):
    reader = make_owner("reader")
    path = f"{published.headers['Location']}/access"

    answer = publisher.done(path, piece(reader))

    read = answer.json["transfer"]
    assert (answer.status_code, read["operation"], read["amount"]) == (
        201,
        "CONTENT_ACCESS",
        0,
    )
    assert read["metadata"] == {"content_id": published.json["content"]["id"]}
    assert publisher.get(f"/ledger/{reader}").json["version"] == 1


def test_reading_what_does_not_exist_is_404(publisher, worker):
    answer = publisher.done(f"/content/{uuid4()}/access", piece(make_owner()))

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_content")


def test_content_that_does_not_exist_is_404(publisher):
    answer = publisher.get(f"/content/{uuid4()}")

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_content")


@pytest.mark.parametrize("path", ["/content", "/content/{}/access"])
def test_another_application_cannot_publish_or_read(caller, stored_jobs, path):
    before = stored_jobs()

    answer = caller.post(path.format(uuid4()), piece(make_owner()))

    assert (answer.status_code, answer.json["code"]) == (403, "wrong_application")
    assert stored_jobs() == before


def test_another_application_is_not_shown_content(caller, published):
    answer = caller.get(published.headers["Location"])

    assert (answer.status_code, answer.json["code"]) == (403, "wrong_application")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"owner_id": ""}, "/owner_id"),
        ({"owner_id": "@treasury"}, "/owner_id"),
        ({"title": ""}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "a\tb"}, "/title"),
        ({"title": None}, "/title"),
        ({"title": ["a"]}, "/title"),
        ({"nonce": ""}, "/nonce"),
        ({"body": "text"}, "/body"),
    ],
)
def test_content_of_another_shape_is_422(publisher, stored_jobs, fields, pointer):
    before = stored_jobs()

    answer = publisher.post("/content", {**piece(make_owner()), **fields})

    assert (answer.status_code, pointers(answer)) == (422, [pointer])
    assert stored_jobs() == before


def test_reading_has_no_title(publisher):
    answer = publisher.post(
        f"/content/{uuid4()}/access", piece(make_owner(), title="no")
    )

    assert (answer.status_code, pointers(answer)) == (422, ["/title"])


def test_operations_of_content_can_be_posted_without_any(publisher, author):
    """Credits move; content that is kept elsewhere needs no record here."""
    answers = [
        publisher.done("/ledger", operation(author, name))
        for name in ("CONTENT_CREATION", "CONTENT_ACCESS")
    ]

    assert [answer.json["balance"] for answer in answers] == [5, 5]
