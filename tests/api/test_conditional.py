"""Conventions, row "conditional": items have strong validators (RFC 9110 §8.8, §13)."""

import re

import pytest

from tests.api.calling import operation
from tests.factories import make_owner

STRONG = re.compile(r'"[\x21\x23-\x7e]+"')


@pytest.fixture
def item(request, caller, new_caller, worker):
    """The path of one item and someone who may read it."""
    if request.param == "content":
        author, owner = new_caller(application="content"), make_owner()
        author.fund(owner)
        body = {"owner_id": owner, "nonce": "1"}
        return author, author.done("/content", body).headers["Location"]
    owner = make_owner()
    made = caller.done("/ledger", operation(owner))
    paths = {
        "balance": f"/ledger/{owner}",
        "alias": f"/balance/{owner}",
        "transfer": made.headers["Location"],
        "job": f"/jobs/{made.json['transfer']['job_id']}",
        "operations": "/ledger/operations",
    }
    return caller, paths[request.param]


each = pytest.mark.parametrize(
    "item",
    ["balance", "alias", "transfer", "job", "operations", "content"],
    indirect=True,
)


@each
def test_an_item_has_a_strong_etag(item):
    """RFC 9110 §8.8.3."""
    caller, path = item

    assert STRONG.fullmatch(caller.get(path).headers["ETag"])


@each
def test_who_has_an_item_already_is_not_sent_it_again(item):
    """RFC 9110 §13.1.2, §15.4.5: no body, the same ETag and Cache-Control."""
    caller, path = item
    first = caller.get(path)

    answer = caller.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (answer.status_code, answer.content) == (304, b"")
    for name in ("ETag", "Cache-Control"):
        assert answer.headers[name] == first.headers[name]


@each
def test_head_is_conditional_as_get_is(item):
    """RFC 9110 §13.1.2: for GET and HEAD."""
    caller, path = item
    tag = caller.send("HEAD", path).headers["ETag"]

    answer = caller.send("HEAD", path, headers={"If-None-Match": tag})

    assert answer.status_code == 304


@pytest.fixture
def balance(caller, worker):
    owner = make_owner()
    caller.done("/ledger", operation(owner))
    return owner


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*", ' "a" ,\t{} '])
def test_an_etag_is_found_however_it_is_sent(caller, balance, form):
    """RFC 9110 §13.1.2: a list, compared weakly, or any at all."""
    tag = caller.get(f"/ledger/{balance}").headers["ETag"]

    answer = caller.get(
        f"/ledger/{balance}", headers={"If-None-Match": form.format(tag)}
    )

    assert answer.status_code == 304


@pytest.mark.parametrize("tags", ["", '"other"', "W/", '"', "nonsense", '"é"', ",,,"])
def test_another_etag_gets_the_item(caller, balance, tags):
    answer = caller.get(f"/ledger/{balance}", headers={"If-None-Match": tags})

    assert answer.status_code == 200


def test_an_etag_changes_with_its_item(caller, balance):
    before = caller.get(f"/ledger/{balance}").headers["ETag"]

    caller.done("/ledger", operation(balance))

    assert caller.get(f"/ledger/{balance}").headers["ETag"] != before


def test_a_job_has_another_etag_once_it_is_finished(caller, api_database, working):
    path = caller.post("/ledger", operation(make_owner())).headers["Location"]
    before = caller.get(path).headers["ETag"]

    with working(api_database):
        after = caller.get(path, query_string="wait=10").headers["ETag"]

    assert before != after


@pytest.mark.parametrize("tags", ["*", '"anything"'])
def test_a_cancellation_is_never_answered_with_304(caller, tags):
    """RFC 9110 §15.4.5: 304 is an answer to GET and HEAD alone."""
    path = caller.post("/ledger", operation(make_owner())).headers["Location"]

    answer = caller.delete(path, headers={"If-None-Match": tags})

    assert (answer.status_code, answer.json["state"]) == (200, "cancelled")
