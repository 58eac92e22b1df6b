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
from tests.waiting import eventually

READY = "/status/ready"
GENERAL = {name.lower() for name in ALWAYS}
# Where the media type of an answer, or of a body, can be chosen, each has its turn.
CASES = [
    (name, sent, wanted)
    for name, described in operations().items()
    for sent in described.said.get("requestBody", {}).get("content", [None])
    for wanted in next(iter(described.answers.values())).get("content", [None])
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
    headers = shown(described, "header")
    if wanted is not None:
        headers["Accept"] = wanted
    if "If-Match" in described.parameters("header"):
        headers["If-Match"] = caller.get(path).headers["ETag"]
    body = None
    if sent is not None:
        headers["Content-Type"] = sent
        body = written(world, described, sent)
    return caller.send(
        described.method,
        path,
        headers=headers,
        body=body,
        query_string=urlencode(shown(described, "query")),
    )


def shown(described, place):
    """Return the parameters an example request has."""
    found = described.parameters(place).items()
    return {name: one["example"] for name, one in found if "example" in one}


def written(world, described, media):
    example = described.said["requestBody"]["content"][media]["example"]
    if media == NDJSON:
        return example
    body = world.body(described, example)
    return urlencode(body) if media == FORM else json.dumps(body)


def needs_worker(described):
    made = {"transfer_id", "content_id"} & described.parameters("path").keys()
    return made or described.submits or described.path == READY


@pytest.mark.parametrize(("name", "sent", "wanted"), CASES)
def test_an_example_is_answered_as_described(request, world, name, sent, wanted):
    described = operations()[name]
    if needs_worker(described):
        request.getfixturevalue("worker")
    if described.path == READY:
        eventually(lambda: world.stranger.get(READY).status_code == 200, within=20)

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
    if media == "application/json":
        assert faults(content[media]["schema"], answer.json, closed=True) == []


@pytest.mark.parametrize("name", operations())
def test_an_example_is_of_the_shape_that_is_described(name):
    described = operations()[name]
    said = [
        described.said.get("requestBody", {}),
        *described.answers.values(),
    ]
    shown = [
        (content.get("schema", {}), one)
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
