"""What cannot be derived of a responder is said on it, by these decorators."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from marshmallow import Schema

from api.openapi.parameters import Parameter
from api.shapes.jobs import Job
from api.shapes.members import page_of

# A schema is JSON; None is no body; a mapping says what there is of each media type: a
# schema, an example of the text it is, or what OpenAPI says of it.
Content = type[Schema] | Mapping[str, Any] | None

_Responder = TypeVar("_Responder", bound=Callable[..., None])
_NAME: Final = "description"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a responder takes and answers."""

    # What is answered when nothing is wrong, by status.
    answers: Mapping[int, Content]
    body: Content = None
    # Parameters of the query, by name where they mean the same everywhere. With none
    # every one is refused; None says that the query is not looked at.
    query: Sequence[str | Parameter] | None = None
    # Headers of the request, and of the answer, that no rule tells of.
    takes: Sequence[str] = ()
    gives: Sequence[str] = ()
    # Codes of its own problems, beside those any responder of its kind may answer.
    refuses: Sequence[str] = ()
    # The answer has an ETag; a change needs it back in If-Match.
    tagged: bool = False
    edits: bool = False
    # It becomes a job, once per idempotency key, and may be waited for.
    submits: bool = False


def describes(
    answers: Mapping[int, Content], **said: Any
) -> Callable[[_Responder], _Responder]:
    """Describe a responder by what `Description` has."""
    description = Description(answers=answers, **said)

    def describe(responder: _Responder) -> _Responder:
        setattr(responder, _NAME, description)
        return responder

    return describe


def describes_item(
    shape: type[Schema], **said: Any
) -> Callable[[_Responder], _Responder]:
    """Describe a responder that shows one thing, with its ETag."""
    return describes({200: shape}, tagged=True, **said)


def describes_page(
    name: str,
    shape: type[Schema],
    *,
    query: Sequence[str | Parameter] = (),
    **said: Any,
) -> Callable[[_Responder], _Responder]:
    """Describe a responder that shows a page of a list."""
    answers = {200: page_of(name, shape)}
    return describes(answers, query=(*query, "limit", "cursor"), **said)


def describes_write(
    body: Content, result: type[Schema], **said: Any
) -> Callable[[_Responder], _Responder]:
    """Describe a responder that accepts a job; its result, for those who wait."""
    return describes({201: result, 202: Job}, body=body, submits=True, **said)


def description_of(responder: object) -> Description | None:
    """Return how a responder is described, if it is."""
    return getattr(responder, _NAME, None)
