"""A cluster over HTTP as Kubernetes serves one, to kubectl and to the official client.

Answers who may ask (by the rules of a Role), keeps each request, and fails where a test
says so.
"""

import base64
import json
import re
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.authority import Authority
from tests.controller.kubernetes.cluster import DEPLOYMENTS, Cluster, Refused
from tests.controller.kubernetes.discovery import discovered

USER = "system:serviceaccount:coin:controller"
TOKEN = "a-token-of-nobody"
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?"
)
VERBS = {"PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}
# What may be sent; no type at all is JSON.
PATCHES = {"application/merge-patch+json", "application/strategic-merge-patch+json"}
OBJECTS = {None, "application/json"}


class Request(NamedTuple):
    """One request, as it came and as rules name it."""

    method: str
    path: str
    query: dict
    content_type: str | None
    body: object
    verb: str
    group: str
    resource: str
    namespace: str | None
    name: str | None

    @property
    def said(self):
        return f"{self.verb} {self.resource}"


def read_request(method, target, content_type, body):
    """Return a request for a resource, or None for discovery."""
    parts = urlsplit(target)
    found = PATH.fullmatch(parts.path)
    if not found:
        return None
    group, _, namespace, plural, name, subresource = found.groups()
    read = "get" if name else "list"
    return Request(
        method=method,
        path=parts.path,
        query=parse_qs(parts.query),
        content_type=content_type,
        body=body and json.loads(body),
        verb=VERBS.get(method, read),
        group=group or "",
        resource=f"{plural}/{subresource}" if subresource else plural,
        namespace=namespace,
        name=name,
    )


def allows(rule, request):
    """Whether one rule of a Role grants a request."""
    names = rule.get("resourceNames")
    return (
        request.verb in rule["verbs"]
        and request.group in rule["apiGroups"]
        and request.resource in rule["resources"]
        and (not names or request.name in names)
    )


class ApiServer:
    """What is asked of a cluster, by whom, and what goes wrong."""

    def __init__(self, port, authority):
        self.url = f"https://127.0.0.1:{port}"
        self.authority = authority
        self.cluster = Cluster()
        self.requests = []
        # The rules of a Role; None: everything is allowed.
        self.rules = None
        self.token = TOKEN
        # What waits on purpose waits for this.
        self.over = threading.Event()
        self._faults = []

    def said(self):
        """Return each request for a resource in two words."""
        return [request.said for request in self.requests]

    def on(self, said, *faults, always=False):
        """Let these happen, one by one, to the next requests that are so called."""
        self._faults.append((said, list(faults), always))

    def fault(self, request):
        for said, faults, always in self._faults:
            if faults and said == request.said:
                return faults[0] if always else faults.pop(0)
        return None

    def kubeconfig(self, file, *, token=TOKEN):
        """Write what leads kubectl and the client here; return where it is."""
        named = {"cluster": "double", "user": "double", "namespace": "coin"}
        trust = base64.b64encode(self.authority.pem.encode()).decode()
        cluster = {"server": self.url, "certificate-authority-data": trust}
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "double",
                    "contexts": [{"name": "double", "context": named}],
                    "clusters": [{"name": "double", "cluster": cluster}],
                    "users": [{"name": "double", "user": {"token": token}}],
                }
            )
        )
        return file

    def answer(self, request):
        """Return the status and JSON of a request for a resource."""
        self._authorize(request)
        kind = self._kind(request)
        if request.resource.endswith("/scale") and kind == DEPLOYMENTS:
            return 200, self._scale(request)
        return self._object(kind, request)

    def _authorize(self, request):
        if self.rules is None or any(allows(rule, request) for rule in self.rules):
            return
        plural, name = request.resource.partition("/")[0], request.name
        what = f"{plural}.{request.group}" if request.group else plural
        if name:
            what = f'{what} "{name}"'
        raise Refused(
            403,
            "Forbidden",
            f'{what} is forbidden: User "{USER}" cannot {request.verb} '
            f'resource "{request.resource}" in API group "{request.group}" in the '
            f'namespace "{request.namespace}"',
        )

    def _kind(self, request):
        for kind in self.cluster.kinds:
            if (kind.group, kind.plural) == (
                request.group,
                request.resource.partition("/")[0],
            ):
                return kind
        raise Refused(404, "NotFound", "404 page not found")

    def _scale(self, request):
        of = DEPLOYMENTS, request.namespace, request.name
        if request.verb == "patch":
            replicas = request.body["spec"]["replicas"]
            self.cluster.patch(*of, {"spec": {"replicas": replicas}})
        elif request.verb == "update":
            with self.cluster.lock:
                found = self.cluster.find(*of)
                found["spec"]["replicas"] = request.body["spec"].get("replicas", 0)
                version = request.body["metadata"].get("resourceVersion")
                found["metadata"]["resourceVersion"] = version
                self.cluster.replace(*of, found)
        return scale_of(self.cluster.find(*of))

    def _object(self, kind, request):
        of = kind, request.namespace, request.name
        match request.verb:
            case "get":
                return 200, self.cluster.find(*of)
            case "list":
                return 200, self._list(kind, request)
            case "create":
                return 201, self.cluster.create(*of[:2], request.body)
            case "update":
                return 200, self.cluster.replace(*of, request.body)
            case "patch":
                return 200, self.cluster.patch(*of, request.body)
        self.cluster.delete(*of)
        return 200, {"apiVersion": "v1", "kind": "Status", "status": "Success"}

    def _list(self, kind, request):
        found = self.cluster.listed(kind, request.namespace)
        if selector := request.query.get("labelSelector"):
            wanted = dict(pair.split("=") for pair in selector[0].split(","))
            found = [
                one
                for one in found
                if wanted.items() <= one["metadata"].get("labels", {}).items()
            ]
        listed = {
            "apiVersion": kind.api_version,
            "kind": f"{kind.kind}List",
            "metadata": {"resourceVersion": "1"},
        }
        limit = int(request.query.get("limit", ["0"])[0]) or len(found)
        if len(found) > limit:
            listed["metadata"]["continue"] = "more"
        return {**listed, "items": found[:limit]}


def scale_of(deployment):
    """Return a Deployment's Scale, zeros left out."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = spec["selector"]["matchLabels"].items()
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {name: metadata[name] for name in kept},
        "spec": {"replicas": spec["replicas"]} if spec["replicas"] else {},
        "status": {
            "replicas": deployment["status"].get("replicas", 0),
            "selector": ",".join(f"{name}={value}" for name, value in labels),
        },
    }


def status_of(refused):
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": refused.message,
        "reason": refused.reason,
        "code": refused.code,
    }


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer; a fault may answer in its place."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api = None
    asked = None

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.headers["Authorization"].lower() != f"bearer {self.api.token}":
            self.refuse(Refused(401, "Unauthorized", "Unauthorized"))
            return
        content_type = self.headers.get("Content-Type")
        known = PATCHES if self.command == "PATCH" else OBJECTS
        if body and content_type not in known:
            message = "the body of the request was in an unknown format"
            self.refuse(Refused(415, "UnsupportedMediaType", message))
            return
        self.asked = read_request(self.command, self.path, content_type, body)
        if self.asked is None:
            found = discovered(self.api.cluster.kinds, urlsplit(self.path).path)
            self.reply(200 if found else 404, found or "404 page not found")
        else:
            self.answer()

    do_PUT = do_PATCH = do_POST = do_DELETE = do_GET  # noqa: N815  the library's names

    def answer(self):
        self.api.requests.append(self.asked)
        fault = self.api.fault(self.asked)
        if fault and fault(self):
            return
        try:
            self.reply(*self.api.answer(self.asked))
        except Refused as refused:
            self.refuse(refused)

    def refuse(self, refused):
        self.reply(refused.code, status_of(refused))

    def reply(self, code, said, headers=None):
        body = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.begin(code, len(body), headers)
        self.wfile.write(body)

    def begin(self, code, length, headers=None):
        self.send_response(code)
        named = {"Content-Type": "application/json", "Content-Length": str(length)}
        for name, value in {**named, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving(folder):
    """Serve an empty cluster for as long as the block lasts; its keys lie there."""
    authority, broken = Authority(folder), []
    exchange = type("Here", (Exchange,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), exchange) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: broken.append(sys.exception())
        server.socket = authority.server("127.0.0.1", [])(server.socket)
        api = exchange.api = ApiServer(server.server_port, authority)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield api
        finally:
            api.over.set()
            server.shutdown()
            thread.join()
    for error in broken:
        # A client may leave in the middle, on purpose.
        if not isinstance(error, OSError):
            raise error
