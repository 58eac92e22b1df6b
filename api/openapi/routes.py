"""Every route there is, with how it is described and who may use it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from api.openapi.describing import Description, description_of
from api.permissions import RULES, Rule

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_FIELD: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")


class NotDescribed(LookupError):
    """A responder is not described."""


class Route(NamedTuple):
    """A method of a path."""

    method: str
    template: str
    about: str
    rule: Rule
    description: Description

    @property
    def path(self) -> str:
        """Return the path as OpenAPI writes it."""
        return _FIELD.sub(r"{\1}", self.template)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Return the names of the path's parameters, with their converters."""
        return _FIELD.findall(self.template)

    @property
    def name(self) -> str:
        """Return a name for programs: no other route has it."""
        words = re.findall(r"\w+", f"{self.method.lower()} {self.path}")
        return "_".join(words)


def routes(resources: Mapping[str, object]) -> Iterator[Route]:
    """Yield every method of every resource; raise for what nobody has described."""
    for template, resource in resources.items():
        for method in _METHODS:
            responder = getattr(resource, f"on_{method.lower()}", None)
            if responder is None:
                continue
            description = description_of(responder)
            if description is None:
                raise NotDescribed(
                    f"{method} {template}: describe {responder.__qualname__} with "
                    "@describes (api/openapi/describing.py; README: Adding to it)"
                )
            rule = RULES[method, template]
            about = responder.__doc__ or ""
            yield Route(method, template, about, rule, description)
