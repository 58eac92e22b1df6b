"""Where requests go: Falcon's router, with HEAD, OPTIONS, and a list of its routes."""

from typing import Any

from falcon.responders import create_default_options
from falcon.routing import CompiledRouter


class _Methods(dict[str, Any]):
    """A route's responders; a method nobody knows is one it does not have: 405."""

    def __missing__(self, _method: str) -> Any:
        return self["CONNECT"]


class Router(CompiledRouter):
    """Answers HEAD wherever there is GET, and OPTIONS everywhere."""

    def __init__(self) -> None:
        super().__init__()
        # By template, for whoever describes them.
        self.resources: dict[str, object] = {}

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        """Add a route, and remember it."""
        super().add_route(uri_template, resource, **kwargs)
        self.resources[uri_template] = resource

    def find(self, uri: str, req: Any = None) -> Any:
        """Return where a request goes; nothing stored has a name with NUL in it."""
        return None if "\0" in uri else super().find(uri, req)

    def map_http_methods(self, resource: object, **kwargs: Any) -> Any:
        """Return the responders of a resource by method."""
        methods = _Methods(super().map_http_methods(resource, **kwargs))
        if "GET" in methods:
            methods.setdefault("HEAD", methods["GET"])
        # Falcon's own leaves itself out of what it says is allowed.
        allowed = sorted([*methods, "OPTIONS"])
        methods.setdefault("OPTIONS", create_default_options(allowed))
        return methods
