"""Whatever is sent within the document, or just beside it: no bug, no other answer."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.documented import operations
from tests.api.world import World

EXAMPLES = 6
# Threads of the API draw jitter of their own while Hypothesis makes a request.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module inside strategies"
)


@schemathesis.check
def no_bug(_context, response, _case):
    assert response.status_code != 500, response.text


@schemathesis.check
def as_described(_context, response, case):
    name = case.operation.definition.raw["operationId"]
    problem = response.json() if response.status_code >= 400 else None
    operations()[name].assert_described(response.status_code, response.headers, problem)


CHECKS = [
    no_bug,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    as_described,
]


@pytest.fixture(scope="module")
def fuzzed(new_database):
    """An API on a database of its own, with no limits that would end it early."""
    with new_database() as url:
        off = dict.fromkeys(("person", "address", "login"), "off")
        limits = {f"rate_limit_{name}": rate for name, rate in off.items()}
        yield url, create_app(Settings(database_url=url, **limits))


@pytest.fixture(scope="module")
def schema(fuzzed):
    schema = schemathesis.openapi.from_wsgi("/openapi.json", fuzzed[1])
    # Who asks is said by us, once.
    schema.config.generation.update(with_security_parameters=False)
    return schema


@pytest.fixture
def world(fuzzed, new_caller, working):
    url, app = fuzzed
    engine = create_engine(Settings(database_url=url))
    with working(url):
        yield World(app, session_factory(engine), new_caller)
    engine.dispose()


def requests(world, described, operation):
    """Return requests as described, on what is there and what is not, and others."""
    found = world.found(described)
    kinds = [operation.as_strategy(), operation.as_strategy(path_parameters=found)]
    media, example = described.example()
    if isinstance(example, dict) and described.path != "/auth/external":
        body = world.body(described, example)
        kinds.append(
            operation.as_strategy(path_parameters=found, body=body, media_type=media)
        )
    if described.parameters("query") or "requestBody" in described.said:
        kinds.append(
            operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=found)
        )
    return st.one_of(kinds)


@pytest.mark.parametrize("name", operations())
def test_no_request_is_a_bug_or_answered_otherwise_than_described(world, schema, name):
    described = operations()[name]
    operation = schema.find_operation_by_id(name)
    credentials = world.credentials(described)

    @settings(
        max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(requests(world, described, operation))
    def any_request(case):
        case.call_and_validate(headers=credentials, checks=CHECKS)

    any_request()
