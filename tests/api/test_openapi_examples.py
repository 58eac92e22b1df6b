"""Every example of the document is sent, and answered as the document says."""

import json
from urllib.parse import urlencode

import pytest

from api.openapi.headers import ALWAYS
from tests.api.answering import answering
from tests.api.calling import NDJSON
from tests.api.documented import documented, faults, operations, resolve
from tests.api.people import FORM
from tests.api.test_external import Issuer
from tests.api.world import World

GENERAL = {name.lower() for name in ALWAYS}
# Where the media type of an answer, or of a body, can be chosen, each has its turn.
CASES = [
    (name, sent, wanted)
    for name, described in operations().items()
    for sent in described.said.get("requestBody", {}).get("content", [None])
    for wanted in next(iter(described.said["responses"].values())).get(
        "content", [None]
    )
]


@pytest.fixture
def world(api_database, api_sessions, new_caller):
    with answering() as served:
        issuer = Issuer(served, api_database)
        yield World(issuer.app, api_sessions, new_caller, issuer)


def send(world, described, sent, wanted):
    """Send an example and return the answer."""
    caller = world.caller(described)
    path = described.path.format(**world.found(described))
    headers = {
        name: one["example"]
        for name, one in described.parameters("header").items()
        if "example" in one
    }
    if wanted is not None:
        headers["Accept"] = wanted
    if "If-Match" in described.parameters("header"):
        headers["If-Match"] = caller.get(path).headers["ETag"]
    body = None
    if sent is not None:
        headers["Content-Type"] = sent
        example = described.said["requestBody"]["content"][sent]["example"]
        body = written(
            sent, example if sent == NDJSON else world.body(described, example)
        )
    query = {
        name: one["example"]
        for name, one in described.parameters("query").items()
        if "example" in one
    }
    return caller.send(
        described.method,
        path,
        headers=headers,
        body=body,
        query_string=urlencode(query),
    )


def written(media, body):
    if media == FORM:
        return urlencode(body)
    return body if media == NDJSON else json.dumps(body)


def needs_worker(described):
    return (
        described.submits
        or {"transfer_id", "content_id"} & described.parameters("path").keys()
    )


@pytest.mark.parametrize(("name", "sent", "wanted"), CASES)
def test_an_example_is_answered_as_described(request, world, name, sent, wanted):
    described = operations()[name]
    if needs_worker(described):
        request.getfixturevalue("worker")

    answer = send(world, described, sent, wanted)

    assert 200 <= answer.status_code < 300, answer.text
    said = described.answer(answer.status_code)
    undescribed = {header.lower() for header in answer.headers} - GENERAL
    assert undescribed <= {header.lower() for header in said["headers"]}
    content = said.get("content")
    if content is None:
        assert answer.content == b""
        return
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in content
    if media == "application/json" and name != "get_openapi_json":
        assert faults(content[media]["schema"], answer.json, closed=True) == []


@pytest.mark.parametrize("name", operations())
def test_an_example_is_of_the_shape_that_is_described(name):
    described = operations()[name]
    said = [
        described.said.get("requestBody", {}),
        *described.said["responses"].values(),
    ]
    shown = [
        (content["schema"], one)
        for part in said
        for content in part.get("content", {}).values()
        for one in examples(content)
    ]

    assert shown or not any(part.get("content") for part in said)
    assert [fault for schema, one in shown for fault in faults(schema, one)] == []


def examples(content):
    if "example" in content:
        return [content["example"]]
    return [resolve(one)["value"] for one in content["examples"].values()]


def test_examples_of_parameters_are_of_their_schema():
    wrong = {
        (name, parameter): faults(one["schema"], one["example"])
        for name, described in operations().items()
        for place in ("path", "query", "header")
        for parameter, one in described.parameters(place).items()
        if "example" in one
    }

    assert [key for key, found in wrong.items() if found] == []


def test_examples_of_members_are_of_their_schema():
    wrong = [
        (name, member)
        for name, schema in documented()["components"]["schemas"].items()
        for member, said in schema["properties"].items()
        for example in said.get("examples", [])
        if faults(said, example)
    ]

    assert wrong == []
