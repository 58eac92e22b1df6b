"""Bodies in and out: strict JSON, bounded in size and depth, and validators' tags."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl

import falcon
import orjson
from marshmallow import Schema, ValidationError

from api.arrival import BODY_BYTES_MAX
from api.errors import FAULTS_MAX, Problem, Unprocessable

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
FORM: Final = "application/x-www-form-urlencoded"

DEPTH_MAX: Final = 16
FIELDS_MAX: Final = 100
INTEGER_MAX: Final = 2**53


def read_json(req: falcon.Request) -> Any:
    """Return the body as JSON, or answer 400, 408, 413 or 415."""
    require_media(req, JSON)
    return parse(read_body(req))


def read_form(req: falcon.Request) -> dict[str, str]:
    """Return a form's fields, or answer 400, 408, 413 or 415."""
    require_media(req, FORM)
    try:
        pairs = parse_qsl(
            read_body(req).decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise Problem(
            400, "malformed_form", "Send fields as name=value&name=value, in UTF-8."
        ) from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Problem(400, "duplicate_name", "A field is there twice; keep one.")
    return found


def require_media(req: falcon.Request, *accepted: str) -> str:
    """Return the body's media type, or answer 415 naming those accepted."""
    media = (req.content_type or "").partition(";")[0].strip().lower()
    if media in accepted:
        return media
    names = " or ".join(accepted)
    raise Problem(
        415,
        "unsupported_media_type",
        f"Send {names}, and say so in Content-Type.",
        headers={"Accept-Post": ", ".join(accepted)},
    )


def read_body(req: falcon.Request) -> bytes:
    """Return the raw body; answer 413 when it is too large, 415 when compressed."""
    if req.env.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise Problem(
            415,
            "unsupported_content_encoding",
            "Send the body as it is, without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )
    if (req.content_length or 0) > BODY_BYTES_MAX:
        raise _too_large()
    if req.content_length is None:
        body: bytes = req.stream.read(BODY_BYTES_MAX + 1)
    else:
        body = req.bounded_stream.read()
        if len(body) < req.content_length:
            raise Problem(400, "body_cut_short", "The body ended before its length.")
    if len(body) > BODY_BYTES_MAX:
        raise _too_large()
    # As it came, for whoever holds a signature against it.
    req.context.body = body
    return body


def _too_large() -> Problem:
    return Problem(
        413,
        "body_too_large",
        f"A body may have {BODY_BYTES_MAX} bytes; split it into several requests.",
    )


def parse(body: bytes, pointer: str = "") -> Any:
    """Return one JSON document, or answer 400 or 422 saying where it is at fault."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(
            400,
            "malformed_json",
            f"The body is not JSON: {error.msg} (line {error.lineno}, "
            f"column {error.colno}).",
            pointer=pointer,
        ) from None
    # Few brackets cannot be deep, and no backslash cannot hide a control character.
    if body.count(b"{") + body.count(b"[") > DEPTH_MAX:
        _refuse_deep(document)
    if body.count(b":") != _count_names(document):
        _refuse_twice(body, pointer)
    if b"\\u0000" in body:
        found = islice(_with_nul(document, pointer), FAULTS_MAX)
        if errors := [_fault(where) for where in found]:
            raise Unprocessable(errors)
    return document


def _refuse_deep(document: Any) -> None:
    level = [document]
    for _ in range(DEPTH_MAX):
        level = [
            child
            for node in level
            for child in _children(node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise Problem(
        400, "too_deep", f"A body may be nested {DEPTH_MAX} levels deep; flatten it."
    )


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _count_names(node: Any) -> int:
    if isinstance(node, dict):
        return len(node) + sum(map(_count_names, node.values()))
    return sum(map(_count_names, node)) if isinstance(node, list) else 0


def _refuse_twice(body: bytes, pointer: str) -> None:
    """Answer 400 when an object has a name twice; the colons may be in text, too."""

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Problem(
                400,
                "duplicate_name",
                "An object of the body has a name twice; keep one.",
                pointer=pointer,
            )
        return found

    # Slower by far than the parser above, and the one that sees every name.
    json.loads(body, object_pairs_hook=once, parse_int=str, parse_float=str)


def _with_nul(node: Any, pointer: str) -> Iterator[str]:
    if isinstance(node, str) and "\0" in node:
        yield pointer
    elif isinstance(node, dict):
        for key, value in node.items():
            if "\0" in key:
                yield pointer
            yield from _with_nul(value, f"{pointer}/{_escape(key)}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _with_nul(value, f"{pointer}/{index}")


def _fault(pointer: str) -> dict[str, str]:
    return {"pointer": pointer, "detail": "The character NUL cannot be stored."}


def load(schema: Schema, document: Any, pointer: str = "") -> Any:
    """Return the document as the schema has it, or answer 422 for every fault."""
    if isinstance(document, dict) and len(document) > FIELDS_MAX:
        detail = f"An object here has at most {FIELDS_MAX} fields."
        raise Unprocessable([{"pointer": pointer, "detail": detail}])
    try:
        return schema.load(document)
    except ValidationError as error:
        raise Unprocessable(list(faults(error.messages, pointer))) from None


def faults(messages: Any, pointer: str) -> Iterator[dict[str, str]]:
    """Flatten marshmallow's messages to JSON pointers (RFC 6901)."""
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            below = "" if key == "_schema" else f"/{_escape(str(key))}"
            yield from faults(value, pointer + below)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield {"pointer": pointer, "detail": str(message)}


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def exact(value: Any) -> bool:
    """Say whether a JSON value has only text, truth values and exact integers."""
    if isinstance(value, dict):
        return all(exact(item) for item in value.values())
    if isinstance(value, list):
        return all(exact(item) for item in value)
    if isinstance(value, int):
        return -INTEGER_MAX <= value <= INTEGER_MAX
    return not isinstance(value, float)


def show(req: falcon.Request, resp: falcon.Response, media: Any) -> None:
    """Answer one item with a strong ETag, or 304 when the caller has it already."""
    show_body(req, resp, orjson.dumps(media))


def show_body(
    req: falcon.Request, resp: falcon.Response, body: bytes, kind: str = JSON
) -> None:
    """Answer one item that is rendered already in the same way."""
    resp.etag = tag = _tag(body)
    if req.method in {"GET", "HEAD"} and {"*", tag} & set(req.if_none_match or ()):
        resp.status = falcon.HTTP_304
        return
    resp.content_type = kind
    resp.data = body


def require_match(req: falcon.Request, media: Any) -> None:
    """Answer 428 or 412 unless the caller has seen the item as it is now."""
    given = req.if_match
    if not given:
        raise Problem(
            428, "precondition_required", "Send If-Match with the ETag you have."
        )
    strong = {tag for tag in given if not getattr(tag, "is_weak", False)}
    if not {"*", tag_of(media)} & strong:
        raise Problem(
            412, "precondition_failed", "It has changed since; get it again first."
        )


def tag_of(media: Any) -> str:
    """Return the ETag an item has when it is shown."""
    return _tag(orjson.dumps(media))


def _tag(body: bytes) -> str:
    return sha256(body).hexdigest()[:32]
